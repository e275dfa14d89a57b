#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "adjustment/adjustment.h"
#include "base/failure.h"
#include "base/kernels.h"
#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "bindings/rule_names.h"
#include "estimator/estimator.h"
#include "geometry/geometry.h"
#include "linalg/norms.h"
#include "scaling/scaling.h"
#include "transform/transform.h"
#include "update/displacement.h"
#include "update/update.h"

namespace py = pybind11;

// Parts whose work is done by a Python object: `Bridge` of schattor/parts/python.py, which checks what comes
// back.
namespace schattor {
namespace {

using Lengths = std::vector<py::ssize_t>;

Lengths lengths(Shape shape) { return {shape.rows, shape.cols}; }

/// An array over the core's memory, for the time of one call.
template <class T>
py::array over(T* data, const Lengths& shape) {
    return py::array_t<T>(shape, data, py::none());
}
template <class T>
py::array over(const T* data, const Lengths& shape) {
    py::array array = py::array_t<T>(shape, data, py::none());
    py::detail::array_proxy(array.ptr())->flags &= ~py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
    return array;
}

template <class T>
py::object orNone(const T* data, const Lengths& shape) {
    return data == nullptr ? py::object(py::none()) : py::object(over(data, shape));
}

template <class T>
void store(const py::object& result, Index n, T* out) {
    const auto array = result.cast<Array<T>>();
    if (array.size() != n) throw std::invalid_argument("internal: result of another size");
    std::memmove(out, input(array), static_cast<std::size_t>(n) * sizeof(T));
}

/// The Python object behind a part. It answers with zeros once something has gone wrong in the step: the step
/// is taken back.
class Bridge {
public:
    explicit Bridge(py::object bridge)
        : bridge_(std::move(bridge)), failure_(bridge_.attr("failure").cast<std::shared_ptr<Failure>>()) {
        using Row = std::tuple<std::string, Index, Index, Array<double>>;
        for (const auto& [name, rows, cols, initial] : bridge_.attr("arrays").cast<std::vector<Row>>())
            arrays.push_back({name, {rows, cols}, 0.0, {input(initial), input(initial) + initial.size()}});
        for (const auto& [name, initial] :
             bridge_.attr("numbers").cast<std::vector<std::pair<std::string, double>>>())
            numbers.push_back({name, initial});
        if (failure_) failure_->possible = true;
    }

    /// Calls f(bridge). What it throws is kept for the end of the step, and false returned; outside of an
    /// optimizer it is thrown on.
    template <class F>
    bool attempt(F f) const {
        const py::gil_scoped_acquire gil;
        if (failure_ && failure_->error) return false;
        try {
            f(bridge_);
            return true;
        } catch (...) {
            if (!failure_) throw;
            failure_->error = std::current_exception();
            return false;
        }
    }

    /// out <- method(context, x), or zeros.
    template <class T>
    T* map(const Context<T>& c, const T* x, T* out) const {
        const bool done = attempt([&](const py::object& bridge) {
            store(bridge.attr("map")(contextRow(c), over(x, lengths(c.shape))), c.size(), out);
        });
        if (!done) std::fill(out, out + c.size(), T(0));
        return out;
    }

    /// What the Python side makes its Context of, by name.
    template <class T>
    py::dict contextRow(const Context<T>& c) const {
        using namespace py::literals;
        py::list state;
        for (std::size_t i = 0; i < arrays.size(); ++i)
            state.append(over(c.state[i], lengths(arrays[i].shape)));
        const Extras<T>& extras = c.extras;
        return py::dict(
            "weights"_a = orNone(c.weights, lengths(c.shape)), "step"_a = c.step, "count"_a = c.count,
            "lr"_a = c.lr, "limit"_a = c.limit, "salt"_a = c.salt, "arrays"_a = state,
            "numbers"_a = over(c.scalars.data(), {static_cast<py::ssize_t>(numbers.size())}),
            "gradient_at_previous"_a = orNone(extras.previous, lengths(c.shape)),
            "activations"_a = orNone(extras.activations.data, {extras.activations.count, c.shape.cols}),
            "deltas"_a = orNone(extras.deltas.data, {extras.deltas.count, c.shape.rows}),
            "per_example"_a =
                orNone(extras.perExample.data, {extras.perExample.count, c.shape.rows, c.shape.cols}));
    }

    std::vector<StateSlot> arrays;
    std::vector<ScalarSlot> numbers;

private:
    py::object bridge_;
    std::shared_ptr<Failure> failure_;
};

/// A part of any slot that may read the weights and keep state.
template <class Slot>
class PythonPart : public Slot {
public:
    explicit PythonPart(py::object bridge) : bridge_(std::move(bridge)) {}

    std::vector<StateSlot> state(Shape) const override { return bridge_.arrays; }
    std::vector<ScalarSlot> scalars() const override { return bridge_.numbers; }
    Inputs ownReads() const override { return Input::weights; }

protected:
    Bridge bridge_;
};

class PythonTransform final : public PythonPart<Transform> {
public:
    using PythonPart::PythonPart;

    const float* apply(const Context<float>& c, const float* g, float* out) const override {
        return bridge_.map(c, g, out);
    }
    const double* apply(const Context<double>& c, const double* g, double* out) const override {
        return bridge_.map(c, g, out);
    }
    /// Nobody knows: the result is held to Context::limit.
    double magnitude(std::span<const double>, double gradient, double) const override { return gradient; }
};

class PythonEstimator final : public PythonPart<Estimator> {
public:
    using PythonPart::PythonPart;

    /// Nobody knows: it may forget nothing.
    double retention(std::span<const double>) const override { return 1.0; }

    const float* estimate(const Context<float>& c, const float* g, float* out) const override {
        return bridge_.map(c, g, out);
    }
    const double* estimate(const Context<double>& c, const double* g, double* out) const override {
        return bridge_.map(c, g, out);
    }
};

class PythonAdjustment final : public PythonPart<Adjustment> {
public:
    using PythonPart::PythonPart;

    void apply(const Context<float>& c, const OracleResult&, float* d) const override {
        bridge_.map(c, d, d);
    }
    void apply(const Context<double>& c, const OracleResult&, double* d) const override {
        bridge_.map(c, d, d);
    }
};

/// The length by the rule times a factor that the Python side finds from the dual norm.
class PythonScaling final : public PythonPart<Scaling> {
public:
    PythonScaling(py::object bridge, Rule rule) : PythonPart(std::move(bridge)), unit_(rule, 1.0) {}

    double factor(std::span<const double>, const OracleResult&, const Coupling&) const override {
        return 0.0;  // for divided blocks: there are none
    }
    double factorOf(const Context<float>& c, const OracleResult& oracle, const Coupling& k) const override {
        return run(c, oracle, k);
    }
    double factorOf(const Context<double>& c, const OracleResult& oracle, const Coupling& k) const override {
        return run(c, oracle, k);
    }
    Rule rule() const override { return unit_.rule(); }

private:
    template <class T>
    double run(const Context<T>& c, const OracleResult& oracle, const Coupling& k) const {
        double length = 0.0;
        bridge_.attempt([&](const py::object& bridge) {
            length =
                bridge.attr("length")(bridge_.contextRow(c), oracle.dualNorm.full()).template cast<double>();
        });
        return length == 0.0 ? 0.0 : length * unit_.factor(c.slots, oracle, k);
    }

    NormScaling unit_;
};

class PythonUpdate final : public PythonPart<Update> {
public:
    using PythonPart::PythonPart;

    Moved apply(const Context<float>& c, double factor, const float* d, float* w) const override {
        return run(c, factor, d, w);
    }
    Moved apply(const Context<double>& c, double factor, const double* d, double* w) const override {
        return run(c, factor, d, w);
    }

private:
    template <class T>
    Moved run(const Context<T>& c, double factor, const T* d, T* w) const {
        Displacement<T> moved(c, w);
        std::vector<T> displacement(static_cast<std::size_t>(c.size()));
        kernels::scale(c.size(), factor, d, displacement.data());
        bridge_.map(c, displacement.data(), w);
        return {.norm = moved.norm(w)};
    }
};

/// -<g, d>, over the whole range of the dtype.
template <class T>
Scaled descent(Index n, const T* g, const T* d) {
    int exponent = 0;
    const auto scaled = [&](const T* x) {
        const int e = Scaled{kernels::maxAbs(n, x), 0}.normalized().exponent;
        exponent += e;
        std::vector<T> unit(static_cast<std::size_t>(n));
        kernels::scaleByPowerOfTwo(n, -e, x, unit.data());
        return unit;
    };
    const std::vector<T> unitG = scaled(g), unitD = scaled(d);
    return {-kernels::dot(n, unitG.data(), unitD.data()), exponent};
}

class PythonGeometry final : public Geometry {
public:
    explicit PythonGeometry(py::object bridge) : bridge_(std::move(bridge)) {}

    OracleResult ball(const OracleContext&, Shape s, const float* g, float* d) const override {
        return run(s, g, d);
    }
    OracleResult ball(const OracleContext&, Shape s, const double* g, double* d) const override {
        return run(s, g, d);
    }
    Scaled norm(const OracleContext&, Shape s, const float* x) const override { return call("norm", s, x); }
    Scaled norm(const OracleContext&, Shape s, const double* x) const override { return call("norm", s, x); }
    Scaled dualNorm(const OracleContext&, Shape s, const float* g) const override {
        return call("dual_norm", s, g);
    }
    Scaled dualNorm(const OracleContext&, Shape s, const double* g) const override {
        return call("dual_norm", s, g);
    }
    /// Nobody knows: what comes of it is checked after the step.
    double dualNormBound(Shape) const override { return 0.0; }

private:
    template <class T>
    Scaled call(const char* method, Shape s, const T* x) const {
        double value = 0.0;
        bridge_.attempt([&](const py::object& bridge) {
            value = bridge.attr("measure")(method, over(x, lengths(s))).template cast<double>();
        });
        return Scaled{value, 0};
    }

    /// One call: the dual norm is -<G, D>.
    template <class T>
    OracleResult run(Shape s, const T* g, T* d) const {
        const Index n = s.size();
        OracleResult result;
        const bool done = kernels::maxAbs(n, g) > 0.0 && bridge_.attempt([&](const py::object& bridge) {
            store(bridge.attr("ball")(over(g, lengths(s))), n, d);
            result.dualNorm = descent(n, g, d);
            if (result.dualNorm.value < 0.0) bridge.attr("refuse_uphill")();
        });
        if (!done) {
            std::fill(d, d + n, T(0));
            return {};
        }
        result.regularizedScale = result.dualNorm.full();
        result.frobenius = frobeniusNorm(n, d).full();
        result.backend = Backend::user;
        return result;
    }

    Bridge bridge_;
};

template <class Part, class Slot>
void define(py::module_& m, const char* name) {
    py::class_<Part, Slot, std::shared_ptr<Part>>(m, name).def(py::init<py::object>(), py::arg("bridge"));
}

}  // namespace

void bindPythonParts(py::module_& m) {
    py::class_<Failure, std::shared_ptr<Failure>>(m, "Failure");
    define<PythonTransform, Transform>(m, "PythonTransform");
    define<PythonEstimator, Estimator>(m, "PythonEstimator");
    define<PythonAdjustment, Adjustment>(m, "PythonAdjustment");
    define<PythonUpdate, Update>(m, "PythonUpdate");
    define<PythonGeometry, Geometry>(m, "PythonGeometry");
    py::class_<PythonScaling, Scaling, std::shared_ptr<PythonScaling>>(m, "PythonScaling")
        .def(py::init([](py::object bridge, const std::string& rule) {
                 return std::make_shared<PythonScaling>(std::move(bridge), ruleOf(rule));
             }),
             py::arg("bridge"), py::arg("rule"));
}

}  // namespace schattor
