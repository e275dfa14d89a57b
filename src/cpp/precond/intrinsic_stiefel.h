#pragma once

#include <memory>

#include "geometry/geometry.h"
#include "precond/preconditioner.h"

namespace schattor {

/// Intrinsic Muon on the Stiefel manifold (arXiv 2605.09238): the tangent vector
///     W polar(skew(W'G)) + polar(G - W W'G)
/// for a tall W with W'W = I; a wide one stands for its transpose.
class IntrinsicStiefel final : public Preconditioner {
public:
    explicit IntrinsicStiefel(std::shared_ptr<const Geometry> polar) : polar_(std::move(polar)) {}

    void apply(const Context<float>& c, const float* g, float* out) const override { run(c, g, out); }
    void apply(const Context<double>& c, const double* g, double* out) const override { run(c, g, out); }
    /// The polar factor of the normal part, and that of the square W'G.
    std::vector<Child> children(Shape s) const override {
        return {{polar_.get(), s}, {polar_.get(), {s.smaller(), s.smaller()}}};
    }
    Inputs ownReads() const override { return Input::weights; }

private:
    template <class T>
    void run(const Context<T>&, const T* g, T* out) const;

    std::shared_ptr<const Geometry> polar_;
};

}  // namespace schattor
