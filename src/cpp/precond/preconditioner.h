#pragma once

#include <optional>

#include "base/kernels.h"
#include "base/part.h"

namespace schattor {

/// Changes the metric: sees both the gradient and the estimate, and maps the estimate.
class Preconditioner : public Part {
public:
    /// Advances the state.
    virtual void observe(const Context<float>&, const float* /*g*/, const float* /*m*/) const {}
    virtual void observe(const Context<double>&, const double* /*g*/, const double* /*m*/) const {}
    /// out = P(m), by the state after observe().
    virtual void apply(const Context<float>&, const float* m, float* out) const = 0;
    virtual void apply(const Context<double>&, const double* m, double* out) const = 0;

    /// The map of a block's entries, for a preconditioner of that form with one state array.
    virtual std::optional<kernels::Root> root(std::span<const double>, std::int64_t /*count*/) const {
        return std::nullopt;
    }

    /// How many sums the blocks of one recipe share. Where there are any, measure() runs on all blocks, with
    /// the transformed gradient, and share() after it, before any block moves.
    virtual Index sums() const { return 0; }
    /// Writes this block's part of the sums. May advance the state.
    virtual void measure(const Context<float>&, const float* /*g*/, double* /*sums*/) const {}
    virtual void measure(const Context<double>&, const double* /*g*/, double* /*sums*/) const {}
    /// Takes the sums over all blocks into the scalars, which so stay the same in all blocks.
    virtual void share(std::span<const double> /*slots*/, std::span<const double> /*sums*/, double /*lr*/,
                       std::span<double> /*scalars*/) const {}
};

}  // namespace schattor
