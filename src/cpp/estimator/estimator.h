#pragma once

#include <optional>

#include "base/kernels.h"
#include "base/sharing.h"

namespace schattor {

/// Stands for the gradient in the rest of the step, and owns the momentum.
class Estimator : public Sharing {
public:
    /// Advances the state by the gradient `g` and returns where the estimate stands: `out`, a
    /// state array, or `g` itself. The caller reads it before the next call.
    virtual const float* estimate(const Context<float>&, const float* g, float* out) const = 0;
    virtual const double* estimate(const Context<double>&, const double* g, double* out) const = 0;

    /// The share of the old state in the new one.
    virtual double retention(std::span<const double>) const { return 0.0; }

    /// The step of a block's entries, for an estimator of that form with one state array, or with none where
    /// the estimate is the gradient itself.
    virtual std::optional<kernels::Momentum> linear(std::span<const double>, std::int64_t /*count*/) const {
        return std::nullopt;
    }
    /// Whether it is of that form.
    virtual bool isLinear() const { return false; }

protected:
    /// Averages of numbers up to x stay below this times x, rounding included.
    static constexpr double roundingHeadroom = 1.0 + 1e-6;

    /// estimate() for one state array that moves linearly: the array itself where that is the estimate.
    template <class T>
    static const T* advance(const Context<T>& c, const kernels::Momentum& x, const T* g, T* out) {
        T* state = c.state[0];
        if (x.c != 0.0 || x.d != 1.0) {
            kernels::momentum(c.size(), x, g, state, out);
            return out;
        }
        kernels::combine(c.size(), x.a, state, x.b, g, state);
        return state;
    }
};

}  // namespace schattor
