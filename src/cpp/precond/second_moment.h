#pragma once

#include "precond/preconditioner.h"

namespace schattor {

/// Adam's diagonal metric: V <- b V + (1 - b) G^2 and P(M) = M / (sqrt(V / (1 - b^t)) + eps).
class SecondMoment final : public Preconditioner {
public:
    SecondMoment(Value beta, Value eps) : beta_(beta), eps_(eps) {}

    std::vector<StateSlot> state(Shape shape) const override { return {{"second_moment", shape}}; }
    void observe(const Context<float>&, const float*, const float*) const override;
    void observe(const Context<double>&, const double*, const double*) const override;
    void apply(const Context<float>&, const float*, float*) const override;
    void apply(const Context<double>&, const double*, double*) const override;
    bool elementwise() const override { return true; }
    std::optional<kernels::Root> root(std::span<const double> slots, std::int64_t count) const override;
    /// Its square must be finite.
    double largestMagnitude(Dtype dtype) const override;

private:
    Value beta_;
    Value eps_;
};

}  // namespace schattor
