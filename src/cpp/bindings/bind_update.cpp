#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "bindings/facts.h"
#include "bindings/named.h"
#include "update/additive.h"
#include "update/extrapolated.h"
#include "update/hyperball.h"
#include "update/polar_retraction.h"
#include "update/product_decay.h"
#include "update/schedule_free.h"
#include "update/weight_normalized.h"

namespace py = pybind11;

namespace schattor {

void bindUpdate(py::module_& m) {
    py::class_<Update, std::shared_ptr<Update>> update(m, "Update");
    bindFacts(update);
    py::class_<Additive, Update, std::shared_ptr<Additive>>(m, "Additive")
        .def(py::init([](const std::string& decay, Value weightDecay) {
                 const Decay kind = named<Decay>("decay", decay,
                                                 {{"none", Decay::none},
                                                  {"decoupled", Decay::decoupled},
                                                  {"independent", Decay::independent},
                                                  {"cautious", Decay::cautious},
                                                  {"after", Decay::after}});
                 return std::make_shared<Additive>(kind, weightDecay);
             }),
             py::arg("decay"), py::arg("weight_decay"));
    py::class_<ScheduleFree, Update, std::shared_ptr<ScheduleFree>>(m, "ScheduleFree")
        .def(py::init<std::shared_ptr<Update>, double, double, double>(), py::arg("inner"), py::arg("beta"),
             py::arg("r"), py::arg("power"));
    py::class_<Extrapolated, Update, std::shared_ptr<Extrapolated>>(m, "Extrapolated")
        .def(py::init<std::shared_ptr<Update>, Value>(), py::arg("inner"), py::arg("momentum"));
    py::class_<PolarRetraction, Update, std::shared_ptr<PolarRetraction>>(m, "PolarRetraction")
        .def(py::init<std::shared_ptr<Geometry>>(), py::arg("polar"));
    py::class_<ProductDecay, Update, std::shared_ptr<ProductDecay>>(m, "ProductDecay")
        .def(py::init<Value>(), py::arg("weight_decay"));
    py::class_<Hyperball, Update, std::shared_ptr<Hyperball>>(m, "Hyperball").def(py::init<>());
    py::class_<WeightNormalized, Update, std::shared_ptr<WeightNormalized>>(m, "WeightNormalized")
        .def(py::init([](bool columns, std::shared_ptr<Estimator> estimator,
                         std::shared_ptr<Preconditioner> preconditioner, Value weightDecay) {
                 return std::make_shared<WeightNormalized>(linesOf(columns), std::move(estimator),
                                                           std::move(preconditioner), weightDecay);
             }),
             py::arg("columns"), py::arg("estimator"), py::arg("preconditioner"), py::arg("weight_decay"));
}

}  // namespace schattor
