#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "bindings/facts.h"
#include "bindings/named.h"
#include "estimator/dion.h"
#include "estimator/double_ema.h"
#include "estimator/ema.h"
#include "estimator/heavy_ball.h"
#include "estimator/no_momentum.h"
#include "estimator/recursive.h"

namespace py = pybind11;

namespace schattor {

void bindEstimatorParts(py::module_& m) {
    py::class_<Estimator, std::shared_ptr<Estimator>> estimator(m, "Estimator");
    bindFacts(estimator);
    py::class_<NoMomentum, Estimator, std::shared_ptr<NoMomentum>>(m, "NoMomentum").def(py::init<>());
    py::class_<Ema, Estimator, std::shared_ptr<Ema>>(m, "Ema").def(
        py::init([](Value momentum, const std::string& init, bool nesterov) {
            const EmaInit start = named<EmaInit>(
                "init", init,
                {{"first", EmaInit::first}, {"zero", EmaInit::zero}, {"debiased", EmaInit::debiased}});
            return std::make_shared<Ema>(momentum, start, nesterov);
        }),
        py::arg("momentum"), py::arg("init"), py::arg("nesterov"));
    py::class_<Dion, Estimator, std::shared_ptr<Dion>>(m, "Dion").def(
        py::init<Value, double, Value, std::uint64_t>(), py::arg("momentum"), py::arg("rank_fraction"),
        py::arg("eps"), py::arg("seed"));
    py::class_<DoubleEma, Estimator, std::shared_ptr<DoubleEma>>(m, "DoubleEma")
        .def(py::init<Value, Value>(), py::arg("near"), py::arg("far"));
    py::class_<HeavyBall, Estimator, std::shared_ptr<HeavyBall>>(m, "HeavyBall")
        .def(py::init([](Value momentum, Value dampening, const std::string& init, bool nesterov) {
                 const HeavyBallInit start = named<HeavyBallInit>(
                     "init", init, {{"first", HeavyBallInit::first}, {"zero", HeavyBallInit::zero}});
                 return std::make_shared<HeavyBall>(momentum, dampening, start, nesterov);
             }),
             py::arg("momentum"), py::arg("dampening"), py::arg("init"), py::arg("nesterov"));
    py::class_<Recursive, Estimator, std::shared_ptr<Recursive>>(m, "Recursive")
        .def(py::init<Value>(), py::arg("momentum"));
    py::class_<AdaptiveRecursive, Recursive, std::shared_ptr<AdaptiveRecursive>>(m, "AdaptiveRecursive")
        .def(py::init<double, double>(), py::arg("w"), py::arg("c"));
}

}  // namespace schattor
