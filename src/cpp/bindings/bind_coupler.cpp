#include <pybind11/stl.h>

#include <vector>

#include "bindings/bind.h"
#include "coupler/mixed_norm.h"

namespace py = pybind11;

namespace schattor {
void bindCoupler(py::module_& m) {
    py::class_<MixedNorm>(m, "MixedNorm")
        .def(py::init<double>(), py::arg("outer"))
        .def(
            "norm",
            [](const MixedNorm& mix, const std::vector<Scaled>& norms, const std::vector<double>& weights) {
                return mix.norm(norms, weights);
            },
            py::arg("norms"), py::arg("weights"))
        .def(
            "couple",
            [](const MixedNorm& mix, const std::vector<Scaled>& dualNorms,
               const std::vector<double>& weights) {
                std::vector<Coupling> couplings(dualNorms.size());
                const Scaled total = mix.couple(dualNorms, weights, couplings);
                py::list factors;
                for (const Coupling& c : couplings) factors.append(py::make_tuple(c.ball, c.regularized));
                return py::make_tuple(total, factors);
            },
            py::arg("dual_norms"), py::arg("weights"));
}

}  // namespace schattor
