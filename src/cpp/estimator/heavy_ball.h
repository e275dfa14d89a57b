#pragma once

#include "estimator/estimator.h"

namespace schattor {

/// B <- b B + (1 - dampening) G. first: the first buffer is G itself; zero: it starts at zero.
/// Nesterov: G + b B. A decaying sum, 1 / (1 - b) times as long as the average: not an EMA.
enum class HeavyBallInit { first, zero };

class HeavyBall final : public Estimator {
public:
    HeavyBall(Value momentum, Value dampening, HeavyBallInit init, bool nesterov)
        : momentum_(momentum), dampening_(dampening), init_(init), nesterov_(nesterov) {}

    std::vector<StateSlot> state(Shape) const override;
    const float* estimate(const Context<float>&, const float*, float*) const override;
    const double* estimate(const Context<double>&, const double*, double*) const override;
    double gain(std::span<const double> slots) const override {
        return roundingHeadroom / (1.0 - momentum_.at(slots));
    }
    bool ownElementwise() const override { return true; }
    bool isLinear() const override { return true; }
    std::optional<kernels::Momentum> linear(std::span<const double> slots, std::int64_t count) const override;
    double retention(std::span<const double> slots) const override { return momentum_.at(slots); }

private:
    Value momentum_;
    Value dampening_;
    HeavyBallInit init_;
    bool nesterov_;
};

}  // namespace schattor
