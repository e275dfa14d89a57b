#pragma once

#include <optional>

#include "base/part.h"

namespace schattor {

/// Acts on the raw gradient before anything else sees it.
class Transform : public Part {
public:
    /// Returns where the transformed gradient stands: `out`, or `g` itself when nothing changed.
    virtual const float* apply(const Context<float>&, const float* g, float* out) const = 0;
    virtual const double* apply(const Context<double>&, const double* g, double* out) const = 0;

    /// Largest magnitude of the result, given those of the gradient and of the weights.
    virtual double magnitude(std::span<const double> slots, double gradient, double weights) const = 0;
    /// The factor c of G + c W, for a transform of that form.
    virtual std::optional<double> decay(std::span<const double>) const { return std::nullopt; }
};

}  // namespace schattor
