#pragma once

#include "estimator/estimator.h"

namespace schattor {

/// Dion (arXiv 2504.05295): one warm-started power step on the momentum, with error feedback. With X = M + G,
/// turned so that it is tall, a x b, and the basis Q of r columns,
///     P = orth(X Q),  R = X' P,  M <- X - (1 - mu) P R',  Q_j <- R_j / (||R_j|| + eps),
/// and the estimate is P Q'. Q starts as a Gaussian matrix from `seed`. The residual keeps what the estimate
/// has not seen, so that nothing of a gradient is lost.
class Dion final : public Estimator {
public:
    Dion(Value momentum, double rankFraction, Value eps, std::uint64_t seed)
        : momentum_(momentum), rankFraction_(rankFraction), eps_(eps), seed_(seed) {}

    std::vector<StateSlot> state(Shape) const override;
    const float* estimate(const Context<float>&, const float* g, float* out) const override;
    const double* estimate(const Context<double>&, const double* g, double* out) const override;
    /// The residual may grow with every step; a million steps of this size fit.
    double gain(std::span<const double>) const override { return 1e6; }
    double retention(std::span<const double>) const override { return 1.0; }

private:
    Index rank(Shape) const;
    template <class T>
    const T* run(const Context<T>&, const T* g, T* out) const;

    Value momentum_;
    double rankFraction_;
    Value eps_;
    std::uint64_t seed_;
};

}  // namespace schattor
