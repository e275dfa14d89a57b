#include <pybind11/stl.h>

#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "linalg/blas_threads.h"
#include "linalg/newton_schulz.h"
#include "linalg/svd.h"

namespace py = pybind11;

namespace schattor {
namespace {

void bindIterations(py::module_& m) {
    py::class_<CoefficientSet>(m, "CoefficientSet")
        .def_readonly("name", &CoefficientSet::name)
        .def_property_readonly(
            "steps",
            [](const CoefficientSet& set) { return std::vector(set.steps.begin(), set.steps.end()); })
        .def_readonly("default_steps", &CoefficientSet::defaultSteps)
        .def_readonly("repeats_last", &CoefficientSet::repeatsLast)
        .def_readonly("convergent", &CoefficientSet::convergent)
        .def_readonly("norm_factor", &CoefficientSet::normFactor)
        .def_readonly("source", &CoefficientSet::source);
    m.def("coefficient_sets", [] {
        const auto sets = coefficientSets();
        return std::vector(sets.begin(), sets.end());
    });
    py::class_<Iteration>(m, "Iteration")
        .def(py::init([](const std::variant<std::string, std::vector<Triple>>& coefficients,
                         std::optional<int> steps, std::optional<double> rtol, double floor) {
                 const auto* name = std::get_if<std::string>(&coefficients);
                 Iteration iteration =
                     name ? makeIteration(*name, steps, rtol.value_or(0.0))
                          : makeIteration(std::get<std::vector<Triple>>(coefficients), steps);
                 iteration.floor = floor;
                 return iteration;
             }),
             py::arg("coefficients"), py::arg("steps"), py::arg("rtol"), py::arg("floor"))
        .def_readonly("steps", &Iteration::steps);
}

template <class T>
void bindSingularValues(py::module_& m) {
    m.def(
        "singular_values",
        [](const Array<T>& a, Index rows, Index cols, Array<T> out) {
            const Shape shape{rows, cols};
            const T* x = input(a);
            T* sigma = output(out);
            checkSvdShape(shape);
            requireFinite(shape.size(), x);
            const py::gil_scoped_release nogil;
            const SingleThreadedBlas single(shape.smaller() < threadedBlasFrom);
            std::fill(sigma, sigma + shape.smaller(), T(0));
            if (kernels::maxAbs(shape.size(), x) == 0.0) return 0;
            Arena arena(likelyScratch(shape));
            const Svd svd = singularValues(shape, x, arena);
            kernels::scaleByPowerOfTwo(shape.smaller(), svd.exponent, svd.sigma, svd.sigma);
            std::copy(svd.sigma, svd.sigma + shape.smaller(), sigma);
            return svd.fallbacks;
        },
        py::arg("a").noconvert(), py::arg("rows"), py::arg("cols"), py::arg("out").noconvert());
}

}  // namespace

void bindLinalg(py::module_& m) {
    bindIterations(m);
    bindSingularValues<float>(m);
    bindSingularValues<double>(m);
}

}  // namespace schattor
