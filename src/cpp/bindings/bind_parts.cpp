#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "estimator/ema.h"
#include "estimator/heavy_ball.h"
#include "estimator/no_momentum.h"
#include "precond/second_moment.h"
#include "scaling/scaling.h"
#include "transform/l2_decay.h"
#include "update/additive.h"

namespace py = pybind11;

namespace schattor {
namespace {

/// Looks a name up in a table of (name, value) pairs.
template <class E>
E named(const char* what, const std::string& name, std::initializer_list<std::pair<const char*, E>> table) {
    std::string known;
    for (const auto& [key, value] : table) {
        if (name == key) return value;
        known += std::string(known.empty() ? "" : ", ") + "'" + key + "'";
    }
    throw std::invalid_argument(std::string(what) + " must be one of " + known + ", got '" + name + "'");
}

}  // namespace

void bindParts(py::module_& m) {
    py::class_<Value>(m, "Value").def(py::init<double>()).def_static("from_slot", &Value::fromSlot);

    py::class_<Transform, std::shared_ptr<Transform>>(m, "Transform");
    py::class_<L2Decay, Transform, std::shared_ptr<L2Decay>>(m, "L2Decay").def(py::init<Value>());

    py::class_<Estimator, std::shared_ptr<Estimator>>(m, "Estimator");
    py::class_<NoMomentum, Estimator, std::shared_ptr<NoMomentum>>(m, "NoMomentum").def(py::init<>());
    py::class_<Ema, Estimator, std::shared_ptr<Ema>>(m, "Ema").def(
        py::init([](Value momentum, const std::string& init, bool nesterov) {
            const EmaInit start = named<EmaInit>(
                "init", init,
                {{"first", EmaInit::first}, {"zero", EmaInit::zero}, {"debiased", EmaInit::debiased}});
            return std::make_shared<Ema>(momentum, start, nesterov);
        }));
    py::class_<HeavyBall, Estimator, std::shared_ptr<HeavyBall>>(m, "HeavyBall")
        .def(py::init([](Value momentum, Value dampening, const std::string& init, bool nesterov) {
            const HeavyBallInit start = named<HeavyBallInit>(
                "init", init, {{"first", HeavyBallInit::first}, {"zero", HeavyBallInit::zero}});
            return std::make_shared<HeavyBall>(momentum, dampening, start, nesterov);
        }));

    py::class_<Preconditioner, std::shared_ptr<Preconditioner>>(m, "Preconditioner");
    py::class_<SecondMoment, Preconditioner, std::shared_ptr<SecondMoment>>(m, "SecondMoment")
        .def(py::init<Value, Value>());

    py::class_<Scaling, std::shared_ptr<Scaling>>(m, "Scaling");
    py::class_<NormScaling, Scaling, std::shared_ptr<NormScaling>>(m, "NormScaling")
        .def(py::init([](const std::string& rule, double shapeFactor) {
            const Rule r =
                named<Rule>("rule", rule, {{"ball", Rule::ball}, {"regularization", Rule::regularization}});
            return std::make_shared<NormScaling>(r, shapeFactor);
        }));

    py::class_<Update, std::shared_ptr<Update>>(m, "Update");
    py::class_<Additive, Update, std::shared_ptr<Additive>>(m, "Additive")
        .def(py::init([](const std::string& decay, Value weightDecay) {
            const Decay kind = named<Decay>("decay", decay,
                                            {{"none", Decay::none},
                                             {"decoupled", Decay::decoupled},
                                             {"independent", Decay::independent},
                                             {"cautious", Decay::cautious}});
            return std::make_shared<Additive>(kind, weightDecay);
        }));
}

}  // namespace schattor
