#pragma once

#include "base/kernels.h"
#include "transform/transform.h"

namespace schattor {

/// G + gamma b / (1 - b) (G - R) before an average with momentum b (MARS, arXiv 2411.10438). last: R is the
/// gradient of the step before, zero at first. sameSamples: R is the gradient of the same samples at the
/// previous point, G itself at first.
enum class Reference { last, sameSamples };

class VarianceReduction final : public Transform {
public:
    VarianceReduction(Value gamma, Value momentum, Reference reference)
        : gamma_(gamma), momentum_(momentum), reference_(reference) {}

    std::vector<StateSlot> state(Shape shape) const override {
        if (reference_ == Reference::sameSamples) return {};
        return {{"last_gradient", shape}};
    }
    const float* apply(const Context<float>& c, const float* g, float* out) const override {
        return run(c, g, out);
    }
    const double* apply(const Context<double>& c, const double* g, double* out) const override {
        return run(c, g, out);
    }
    double magnitude(std::span<const double> slots, double gradient, double) const override {
        return gradient * (1.0 + 2.0 * factor(slots));
    }
    Inputs ownReads() const override {
        return reference_ == Reference::sameSamples ? Inputs(Input::previousGradient) : Inputs();
    }
    // The plan's pieces have no extras.
    bool ownElementwise() const override { return reference_ == Reference::last; }

private:
    double factor(std::span<const double> slots) const {
        const double b = momentum_.at(slots);
        return gamma_.at(slots) * b / (1.0 - b);
    }

    template <class T>
    const T* run(const Context<T>& c, const T* g, T* out) const {
        const double f = factor(c.slots);
        if (reference_ == Reference::last) {
            kernels::extrapolateFrom(c.size(), f, g, c.state[0], out);
            return out;
        }
        const T* previous = c.extras.previous;
        if (c.count == 0 || previous == nullptr) return g;
        kernels::extrapolate(c.size(), f, g, previous, out);
        return out;
    }

    Value gamma_, momentum_;
    Reference reference_;
};

}  // namespace schattor
