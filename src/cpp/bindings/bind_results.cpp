#include <cmath>

#include "bindings/bind.h"
#include "geometry/geometry.h"
#include "linalg/spectral_norm.h"
#include "linalg/subspace.h"
#include "plan/report.h"

namespace py = pybind11;

// What calls into the core return, by name.
namespace schattor {
namespace {

std::string_view nameOf(SpectralMethod method) {
    switch (method) {
        case SpectralMethod::closedForm:
            return "closed_form";
        case SpectralMethod::trace:
            return "trace";
        case SpectralMethod::cholesky:
            return "cholesky";
        case SpectralMethod::svd:
            return "svd";
    }
    return "svd";
}

}  // namespace

void bindResults(py::module_& m) {
    py::class_<Scaled>(m, "Scaled")
        .def(py::init<>())
        .def("in_float32", [](const Scaled& x) { return x.in(Dtype::float32); })
        .def("in_float64", [](const Scaled& x) { return x.in(Dtype::float64); });

    py::class_<OracleResult>(m, "OracleResult")
        .def(py::init<>())
        .def_readonly("dual_norm", &OracleResult::dualNorm)
        .def_property_readonly("backend", [](const OracleResult& r) { return r.backend.name; })
        .def_readonly("residual", &OracleResult::residual)
        .def_readonly("fallbacks", &OracleResult::fallbacks)
        .def_readonly("approximate", &OracleResult::approximate)
        .def_readonly("operator_norm", &OracleResult::operatorNorm)
        .def_readonly("iterations", &OracleResult::iterations);

    using Norm = SpectralNorm;
    py::class_<Norm>(m, "SpectralNorm")
        .def(py::init<>())
        .def_property_readonly("value", [](const Norm& r) { return std::ldexp(r.value, r.exponent); })
        .def_property_readonly("lower", [](const Norm& r) { return std::ldexp(r.lower, r.exponent); })
        .def_property_readonly("upper", [](const Norm& r) { return std::ldexp(r.upper, r.exponent); })
        .def_property_readonly("method", [](const Norm& r) { return nameOf(r.method); })
        .def_readonly("iterations", &Norm::iterations)
        .def_readonly("fallbacks", &Norm::fallbacks)
        .def_readonly("certified", &Norm::certified);

    py::class_<TopSingular>(m, "TopSingular")
        .def_readonly("residual", &TopSingular::residual)
        .def_property_readonly("lower", [](const TopSingular& r) { return std::ldexp(r.lower, r.exponent); })
        .def_property_readonly("upper", [](const TopSingular& r) { return std::ldexp(r.upper, r.exponent); })
        .def_property_readonly("method", [](const TopSingular& r) { return r.dense ? "svd" : "subspace"; })
        .def_readonly("iterations", &TopSingular::iterations)
        .def_readonly("fallbacks", &TopSingular::fallbacks)
        .def_readonly("converged", &TopSingular::converged)
        .def_readonly("certified", &TopSingular::certified);

    py::class_<BlockReport>(m, "BlockReport")
        .def_readonly("dual_norm", &BlockReport::dualNorm)
        .def_readonly("step_size", &BlockReport::stepSize)
        .def_readonly("update_rms", &BlockReport::updateRms)
        .def_property_readonly("backend", [](const BlockReport& r) { return r.backend.name; })
        .def_readonly("residual", &BlockReport::residual)
        .def_readonly("fallbacks", &BlockReport::fallbacks);
}

}  // namespace schattor
