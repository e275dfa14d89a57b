#pragma once

#include "estimator/estimator.h"

namespace schattor {

/// The gradient stands for itself (theta = 1).
class NoMomentum final : public Estimator {
public:
    const float* estimate(const Context<float>&, const float* g, float*) const override { return g; }
    const double* estimate(const Context<double>&, const double* g, double*) const override { return g; }
    bool ownElementwise() const override { return true; }
    bool isLinear() const override { return true; }
    std::optional<kernels::Momentum> linear(std::span<const double>, std::int64_t) const override {
        return kernels::Momentum{0.0, 0.0, 1.0, 0.0};
    }
};

}  // namespace schattor
