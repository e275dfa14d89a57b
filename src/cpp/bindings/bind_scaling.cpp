#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "bindings/facts.h"
#include "bindings/rule_names.h"
#include "scaling/clipped_norm.h"
#include "scaling/dual_norm_scaling.h"
#include "scaling/scaling.h"
#include "scaling/switched_scaling.h"

namespace py = pybind11;

namespace schattor {

void bindScaling(py::module_& m) {
    py::class_<Scaling, std::shared_ptr<Scaling>> scaling(m, "Scaling");
    bindFacts(scaling);
    py::class_<NormScaling, Scaling, std::shared_ptr<NormScaling>>(m, "NormScaling")
        .def(py::init([](const std::string& rule, double shapeFactor) {
                 return std::make_shared<NormScaling>(ruleOf(rule), shapeFactor);
             }),
             py::arg("rule"), py::arg("shape_factor"));

    py::class_<ClippedNorm, Scaling, std::shared_ptr<ClippedNorm>>(m, "ClippedNorm")
        .def(py::init<double, Value, bool, bool>(), py::arg("shape_factor"), py::arg("rho"), py::arg("joint"),
             py::arg("constrained"));
    py::class_<SmoothnessStep, Scaling, std::shared_ptr<SmoothnessStep>>(m, "SmoothnessStep")
        .def(py::init<double, Value, Value>(), py::arg("shape_factor"), py::arg("L0"), py::arg("L1"));
    py::class_<NormPower, Scaling, std::shared_ptr<NormPower>>(m, "NormPower")
        .def(py::init<double, Value>(), py::arg("shape_factor"), py::arg("power"));
    py::class_<SwitchedScaling, Scaling, std::shared_ptr<SwitchedScaling>>(m, "SwitchedScaling")
        .def(py::init<Value, std::vector<std::shared_ptr<const Scaling>>>(), py::arg("choice"),
             py::arg("scalings"));
}

}  // namespace schattor
