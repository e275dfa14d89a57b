#include <pybind11/stl.h>

#include <vector>

#include "bindings/bind.h"
#include "coupler/mixed_norm.h"

namespace py = pybind11;

namespace schattor {
namespace {

std::vector<Scaled> scaled(const std::vector<double>& norms) {
    std::vector<Scaled> result;
    for (const double norm : norms) result.push_back(Scaled{norm, 0});
    return result;
}

}  // namespace

void bindCoupler(py::module_& m) {
    py::class_<MixedNorm>(m, "MixedNorm")
        .def(py::init<double>())
        .def("norm",
             [](const MixedNorm& mix, const std::vector<double>& norms, const std::vector<double>& weights) {
                 return mix.norm(scaled(norms), weights).full();
             })
        .def("couple", [](const MixedNorm& mix, const std::vector<double>& dualNorms,
                          const std::vector<double>& weights) {
            std::vector<Coupling> couplings(dualNorms.size());
            const Scaled total = mix.couple(scaled(dualNorms), weights, couplings);
            py::list factors;
            for (const Coupling& c : couplings) factors.append(py::make_tuple(c.ball, c.regularized));
            return py::make_tuple(total.full(), factors);
        });
}

}  // namespace schattor
