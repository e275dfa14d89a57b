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
    /// Frobenius norm of the displacement that apply() has made, decay and retraction aside, where the one
    /// that it was given is `plain` long.
    virtual double length(std::span<const double> /*scalars*/, double /*lr*/, double plain) const {
        return plain;
    }

    /// An update that moves parameters theta of the weights, W = W(theta), owns them, and pulls the gradient
    /// back to them: returns where the gradient by theta stands, `out` or `g` itself. Called once in a step,
    /// after the transforms; apply() follows with the displacement of theta.
    virtual const float* pullBack(const Context<float>&, const float* g, float* /*out*/) const { return g; }
    virtual const double* pullBack(const Context<double>&, const double* g, double* /*out*/) const {
        return g;
    }
    /// Whether pullBack() writes to `out`.
    virtual bool pullsBack() const { return false; }
    /// Bound of the entries of what pullBack() would return in this step, and of the gradient itself.
    virtual double pulledMagnitude(const Context<float>&, double gradient) const { return gradient; }
    virtual double pulledMagnitude(const Context<double>&, double gradient) const { return gradient; }
};

}  // namespace schattor
