#pragma once

#include "estimator/estimator.h"

namespace schattor {

/// Two averages of one gradient over one buffer (Lion, arXiv 2302.06675): the estimate is b1 M + (1 - b1) G,
/// then M <- b2 M + (1 - b2) G. The buffer starts at zero.
class DoubleEma final : public Estimator {
public:
    DoubleEma(Value near, Value far) : near_(near), far_(far) {}

    std::vector<StateSlot> state(Shape shape) const override { return {{"average", shape}}; }
    const float* estimate(const Context<float>& c, const float* g, float* out) const override {
        return advance(c, *linear(c.slots, c.count), g, out);
    }
    const double* estimate(const Context<double>& c, const double* g, double* out) const override {
        return advance(c, *linear(c.slots, c.count), g, out);
    }
    double gain(std::span<const double>) const override { return roundingHeadroom; }
    bool ownElementwise() const override { return true; }
    bool isLinear() const override { return true; }
    double retention(std::span<const double> slots) const override {
        return std::max(near_.at(slots), far_.at(slots));
    }

    std::optional<kernels::Momentum> linear(std::span<const double> slots, std::int64_t) const override {
        const double b1 = near_.at(slots), b2 = far_.at(slots);
        return kernels::Momentum{b2, 1.0 - b2, 1.0 - b1, 0.0, b1};
    }

private:
    Value near_;
    Value far_;
};

}  // namespace schattor
