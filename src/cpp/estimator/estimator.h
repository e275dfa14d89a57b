#pragma once

#include "base/part.h"

namespace schattor {

/// Stands for the gradient in the rest of the step, and owns the momentum.
class Estimator : public Part {
public:
    /// Advances the state by the gradient `g` and returns where the estimate stands: `out`, a
    /// state array, or `g` itself. The caller reads it before the next call.
    virtual const float* estimate(const Context<float>&, const float* g, float* out) const = 0;
    virtual const double* estimate(const Context<double>&, const double* g, double* out) const = 0;

    /// How many times larger than the largest gradient so far the estimate and the state can be.
    virtual double gain(std::span<const double>) const { return 1.0; }
    /// The share of the old state in the new one.
    virtual double retention(std::span<const double>) const { return 0.0; }

protected:
    /// Averages of numbers up to x stay below this times x, rounding included.
    static constexpr double roundingHeadroom = 1.0 + 1e-6;
};

}  // namespace schattor
