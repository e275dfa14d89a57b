#pragma once

#include <optional>

#include "base/descent.h"
#include "base/sharing.h"

namespace schattor {

/// Changes the metric: sees both the gradient and the estimate, and maps the estimate.
class Preconditioner : public Sharing {
public:
    /// Advances the state.
    virtual void observe(const Context<float>&, const float* /*g*/, const float* /*m*/) const {}
    virtual void observe(const Context<double>&, const double* /*g*/, const double* /*m*/) const {}
    /// out = P(m), by the state after observe(); two arrays.
    virtual void apply(const Context<float>&, const float* m, float* out) const = 0;
    virtual void apply(const Context<double>&, const double* m, double* out) const = 0;

    /// The map of a block's entries, for a preconditioner of that form; its first two state arrays, those of
    /// the parts that it holds before its own, are v and u.
    virtual std::optional<kernels::Metric> metric(std::span<const double>, std::int64_t /*count*/) const {
        return std::nullopt;
    }
};

}  // namespace schattor
