#pragma once

#include <optional>

#include "base/part.h"

namespace schattor {

/// Moves the weights.
class Update : public Part {
public:
    /// w <- new weights, for the displacement factor * d. `w` holds the old ones on entry.
    virtual void apply(const Context<float>&, double factor, const float* d, float* w) const = 0;
    virtual void apply(const Context<double>&, double factor, const double* d, double* w) const = 0;
    /// The share c of the old weights in c W + factor D, for an update of that form.
    virtual std::optional<double> keep(std::span<const double>, double /*lr*/) const { return std::nullopt; }
};

}  // namespace schattor
