#pragma once

#include <optional>
#include <stdexcept>

#include "base/part.h"

namespace schattor {

/// How far an update has moved the weights, decay aside.
struct Moved {
    double times = 1.0;               ///< as far as the displacement that it was given, so many times
    std::optional<double> norm = {};  ///< or as far as this, a Frobenius norm; NaN: nobody knows
};

/// Moves the weights.
class Update : public Part {
public:
    /// w <- new weights, for the displacement factor * d. `w` holds the old ones on entry.
    virtual Moved apply(const Context<float>&, double factor, const float* d, float* w) const = 0;
    virtual Moved apply(const Context<double>&, double factor, const double* d, double* w) const = 0;
    /// The share c of the old weights in c W + factor D, for an update of that form.
    virtual std::optional<double> keep(std::span<const double>, double /*lr*/) const { return std::nullopt; }
    /// Whether it is of that form.
    virtual bool isLinear() const { return false; }

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

protected:
    /// Raises std::invalid_argument where the update that this one hands displacements to is no such one.
    void requireDisplaced(const Update& inner) const {
        if (inner.pullsBack())
            throw std::invalid_argument(name() + " cannot hold " + inner.name() +
                                        ", which moves parameters of the weights and needs their gradients");
    }
};

}  // namespace schattor
