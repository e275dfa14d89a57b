#pragma once

#include "base/part.h"

namespace schattor {

/// A change of coordinates round preconditioner and geometry: a rotation, a projection, the metric of another
/// block. The estimate enters, the direction leaves. In a step observe() comes first, then enter() for the
/// estimate (and for the gradient, where a preconditioner sees it), leave(), and conclude().
class Frame : public Part {
public:
    /// Shape of a block of this shape inside.
    virtual Shape inner(Shape outer) const { return outer; }
    /// How many numbers the frame keeps between enter() and leave(), in Context::held.
    virtual Index held(Shape) const { return 0; }
    /// Whether this step only shows the gradient to the frame: after observe() the block is left as it is,
    /// and the step does not count for it.
    virtual bool withholds(std::span<const double> /*scalars*/) const { return false; }

    /// Advances the state by the transformed gradient, before the step uses it.
    virtual void observe(const Context<float>&, const float* /*g*/) const {}
    virtual void observe(const Context<double>&, const double* /*g*/) const {}
    /// inside = E(x), of the inner shape.
    virtual void enter(const Context<float>&, const float* x, float* inside) const = 0;
    virtual void enter(const Context<double>&, const double* x, double* inside) const = 0;
    /// out = L(inside), of the outer shape.
    virtual void leave(const Context<float>&, const float* inside, float* out) const = 0;
    virtual void leave(const Context<double>&, const double* inside, double* out) const = 0;
    /// Advances the state after the step has used it. What the preconditioner keeps entry by entry does not
    /// move: coordinates keep their places.
    virtual void conclude(const Context<float>&, const float* /*g*/) const {}
    virtual void conclude(const Context<double>&, const double* /*g*/) const {}
};

}  // namespace schattor
