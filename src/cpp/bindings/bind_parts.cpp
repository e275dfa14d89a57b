#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "estimator/double_ema.h"
#include "estimator/ema.h"
#include "estimator/heavy_ball.h"
#include "estimator/no_momentum.h"
#include "precond/diagonal.h"
#include "precond/ratio_of_moments.h"
#include "scaling/scaling.h"
#include "transform/l2_decay.h"
#include "update/additive.h"
#include "update/schedule_free.h"

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
    py::class_<DoubleEma, Estimator, std::shared_ptr<DoubleEma>>(m, "DoubleEma")
        .def(py::init<Value, Value>());
    py::class_<HeavyBall, Estimator, std::shared_ptr<HeavyBall>>(m, "HeavyBall")
        .def(py::init([](Value momentum, Value dampening, const std::string& init, bool nesterov) {
            const HeavyBallInit start = named<HeavyBallInit>(
                "init", init, {{"first", HeavyBallInit::first}, {"zero", HeavyBallInit::zero}});
            return std::make_shared<HeavyBall>(momentum, dampening, start, nesterov);
        }));

    py::class_<Preconditioner, std::shared_ptr<Preconditioner>>(m, "Preconditioner");
    py::class_<Moment, std::shared_ptr<Moment>>(m, "Moment");
    py::class_<Squares, Moment, std::shared_ptr<Squares>>(m, "Squares").def(py::init<Value>());
    py::class_<SumOfSquares, Moment, std::shared_ptr<SumOfSquares>>(m, "SumOfSquares")
        .def(py::init<double>());
    py::class_<Largest, Moment, std::shared_ptr<Largest>>(m, "Largest")
        .def(py::init<std::shared_ptr<Moment>>());
    py::class_<CentredSquares, Moment, std::shared_ptr<CentredSquares>>(m, "CentredSquares")
        .def(py::init<Value>());
    py::class_<Deviations, Moment, std::shared_ptr<Deviations>>(m, "Deviations")
        .def(py::init<Value, Value>());
    py::class_<Division, std::shared_ptr<Division>>(m, "Division");
    py::class_<Plain, Division, std::shared_ptr<Plain>>(m, "Plain").def(py::init<Value>());
    py::class_<Debiased, Division, std::shared_ptr<Debiased>>(m, "Debiased")
        .def(py::init<Value, Value, Value>());
    py::class_<Rectified, Division, std::shared_ptr<Rectified>>(m, "Rectified")
        .def(py::init<Value, Value, Value, double>());
    py::class_<Diagonal, Preconditioner, std::shared_ptr<Diagonal>>(m, "Diagonal")
        .def(py::init<std::shared_ptr<Moment>, std::shared_ptr<Division>>());
    py::class_<RatioOfMoments, Preconditioner, std::shared_ptr<RatioOfMoments>>(m, "RatioOfMoments")
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
    py::class_<ScheduleFree, Update, std::shared_ptr<ScheduleFree>>(m, "ScheduleFree")
        .def(py::init<std::shared_ptr<Update>, double, double, double>());
}

}  // namespace schattor
