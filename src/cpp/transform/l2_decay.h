#pragma once

#include "base/kernels.h"
#include "transform/transform.h"

namespace schattor {

/// G <- G + weight_decay W: weight decay as the gradient of (weight_decay / 2) ||W||_F^2.
class L2Decay final : public Transform {
public:
    explicit L2Decay(Value weightDecay) : weightDecay_(weightDecay) {}

    const float* apply(const Context<float>& c, const float* g, float* out) const override {
        return run(c, g, out);
    }
    const double* apply(const Context<double>& c, const double* g, double* out) const override {
        return run(c, g, out);
    }

    double magnitude(std::span<const double> slots, double gradient, double weights) const override {
        return gradient + weightDecay_.at(slots) * weights;
    }
    Inputs ownReads() const override { return Input::weights; }
    bool ownElementwise() const override { return true; }
    std::optional<double> decay(std::span<const double> slots) const override {
        return weightDecay_.at(slots);
    }

private:
    template <class T>
    const T* run(const Context<T>& c, const T* g, T* out) const {
        const double decay = c(weightDecay_);
        if (decay == 0.0) return g;
        kernels::combine(c.size(), 1.0, g, decay, c.weights, out);
        return out;
    }

    Value weightDecay_;
};

}  // namespace schattor
