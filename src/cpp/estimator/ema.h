#pragma once

#include "estimator/estimator.h"

namespace schattor {

/// M <- b M + (1 - b) G, with b = momentum = 1 - theta (theory: section 3).
/// first: M_0 = G_0. zero: the buffer starts at zero. debiased: as zero, and the estimate is divided by 1 -
/// b^t. Nesterov: (1 - b) G + b M; debiased (1 - b) G / (1 - b^t) + b M / (1 - b^(t+1)), as NAdam and optax
/// have it.
enum class EmaInit { first, zero, debiased };

class Ema final : public Estimator {
public:
    Ema(Value momentum, EmaInit init, bool nesterov)
        : momentum_(momentum), init_(init), nesterov_(nesterov) {}

    std::vector<StateSlot> state(Shape) const override;
    const float* estimate(const Context<float>&, const float*, float*) const override;
    const double* estimate(const Context<double>&, const double*, double*) const override;
    /// Debiased Nesterov: its first estimate is G (1 + b / (1 + b)), and no later one weighs more.
    double gain(std::span<const double> slots) const override {
        const double b = momentum_.at(slots);
        return roundingHeadroom * (nesterov_ && init_ == EmaInit::debiased ? 1.0 + b / (1.0 + b) : 1.0);
    }
    bool ownElementwise() const override { return true; }
    bool isLinear() const override { return true; }
    std::optional<kernels::Momentum> linear(std::span<const double> slots, std::int64_t count) const override;
    double retention(std::span<const double> slots) const override { return momentum_.at(slots); }

private:
    Value momentum_;
    EmaInit init_;
    bool nesterov_;
};

}  // namespace schattor
