#pragma once

#include "precond/preconditioner.h"

namespace schattor {

/// U diag(f) V' of the estimate U diag(sigma) V', f being a function of the singular values that ignores
/// their scale and needs no norm behind it. By a full SVD in double; singular values that are zero up to
/// rounding stay zero. power: f = (sigma / mean)^power with their power mean of exponent 1 + power, the
/// geometric one at power = -1. The mean counts zeros where its exponent is positive: then f is k^(1/p) times
/// the Schatten ball direction with q = 1 + power. largest: f = sigma^power, divided by its largest value.
/// rank: f_i = i^-power, i = 1 for the largest.
class SpectralMap final : public Preconditioner {
public:
    enum class Kind { power, largest, rank };
    SpectralMap(Kind kind, double power) : kind_(kind), power_(power) {}

    void apply(const Context<float>& c, const float* m, float* out) const override { run(c, m, out); }
    void apply(const Context<double>& c, const double* m, double* out) const override { run(c, m, out); }

private:
    void weigh(std::span<double> sigma, Index count) const;
    template <class T>
    void run(const Context<T>&, const T* m, T* out) const;

    Kind kind_;
    double power_;
};

}  // namespace schattor
