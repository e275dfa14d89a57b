#pragma once

#include "precond/preconditioner.h"

namespace schattor {

/// AdaDelta (arXiv 1212.5701): V <- b V + (1 - b) G^2, P(M) = sqrt(X + eps) / sqrt(V + eps) M, and then
/// X <- b X + (1 - b) P(M)^2.
class RatioOfMoments final : public Preconditioner {
public:
    RatioOfMoments(Value beta, Value eps) : beta_(beta), eps_(eps) {}

    std::vector<StateSlot> state(Shape s) const override {
        return {{"second_moment", s}, {"second_moment_of_steps", s}};
    }
    void observe(const Context<float>& c, const float* g, const float*) const override {
        average(c, g, c.state[0]);
    }
    void observe(const Context<double>& c, const double* g, const double*) const override {
        average(c, g, c.state[0]);
    }
    void apply(const Context<float>& c, const float* m, float* out) const override { applyIn(c, m, out); }
    void apply(const Context<double>& c, const double* m, double* out) const override { applyIn(c, m, out); }
    bool ownElementwise() const override { return true; }
    std::optional<kernels::Metric> metric(std::span<const double> slots, std::int64_t) const override {
        const double b = beta_.at(slots);
        return kernels::Metric{
            .kind = kernels::Metric::Kind::ratio, .b = b, .add = 1.0 - b, .eps = eps_.at(slots)};
    }
    double ownLargestMagnitude(Shape, Dtype dtype) const override {
        return 0.5 * std::sqrt(largestFinite(dtype));
    }

private:
    template <class T>
    void applyIn(const Context<T>& c, const T* m, T* out) const {
        kernels::scaleByRoots(c.size(), c.state[1], c.state[0], c(eps_), m, out);
        average(c, out, c.state[1]);
    }
    template <class T>
    void average(const Context<T>& c, const T* x, T* v) const {
        const double b = c(beta_);
        kernels::averageSquares(c.size(), b, 1.0 - b, x, v);
    }

    Value beta_;
    Value eps_;
};

}  // namespace schattor
