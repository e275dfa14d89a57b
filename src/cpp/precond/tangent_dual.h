#pragma once

#include <memory>

#include "geometry/geometry.h"
#include "precond/preconditioner.h"

namespace schattor {

/// Manifold Muon on the Stiefel manifold (Bernstein, "Modular manifolds"): the X = G + 2 W L whose polar
/// factor A solves
///     max <G, A>  over  ||A||_op <= 1,  A'W + W'A = 0
/// for a tall W with W'W = I; a wide one stands for its transpose. The symmetric L minimises the dual
/// function
/// ||G + 2 W L||_*, by L <- L - a (1 - t/T) (W'A + A'W) from L = -(W'G + G'W) / 4, in at most T evaluations
/// of A, the oracle's included, or until the root mean square of W'A + A'W is below the tolerance. The
/// gradient is first scaled to ||G||_F = sqrt(k), the norm of a polar factor, so that the step a has no unit.
class TangentDual final : public Preconditioner {
public:
    TangentDual(std::shared_ptr<const Geometry> polar, int steps, double stepSize, double tolerance)
        : polar_(std::move(polar)), steps_(steps), stepSize_(stepSize), tolerance_(tolerance) {}

    void apply(const Context<float>& c, const float* g, float* x) const override { run(c, g, x); }
    void apply(const Context<double>& c, const double* g, double* x) const override { run(c, g, x); }
    std::vector<Child> children(Shape s) const override { return {{polar_.get(), s}}; }
    Inputs ownReads() const override { return Input::weights; }

private:
    template <class T>
    void run(const Context<T>&, const T* g, T* x) const;

    std::shared_ptr<const Geometry> polar_;
    int steps_;
    double stepSize_, tolerance_;
};

}  // namespace schattor
