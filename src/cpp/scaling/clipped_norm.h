#pragma once

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "scaling/dual_norm_scaling.h"

namespace schattor {

/// min(rho, ||G||): clipped steps (arXiv 2506.01913), with the norm of the block or, `joint`, the sum of all.
/// `constrained`: towards the boundary of the ball instead, with the gap ||G|| + <W, G> of the conditional
/// gradient method in the place of the norm. The length is then a factor on the learning rate, with it at
/// most one, and none where the gap is negative, as it may be outside of the ball.
class ClippedNorm final : public DualNormScaling {
public:
    ClippedNorm(double shapeFactor, Value rho, bool joint, bool constrained)
        : DualNormScaling(shapeFactor), rho_(rho), joint_(joint), constrained_(constrained) {}

    double factor(std::span<const double> slots, const OracleResult& oracle,
                  const Coupling& coupling) const override {
        if (!joint_ && !constrained_) return DualNormScaling::factor(slots, oracle, coupling);
        if (oracle.dualNorm.isZero()) return 0.0;
        const double clipped = constrained_ ? 1.0 : length(slots, coupling.total);
        return shapeFactor_ * oracle.ballScale * coupling.ball * clipped;
    }
    double decrease(const Context<float>& c, const OracleResult& o, const float* m) const override {
        return decreaseIn(c, o, m);
    }
    double decrease(const Context<double>& c, const OracleResult& o, const double* m) const override {
        return decreaseIn(c, o, m);
    }
    bool joint() const override { return joint_; }
    double pace(std::span<const double> slots, double lr, const Coupling& coupling) const override {
        if (!constrained_ || lr == 0.0) return 1.0;
        const double gap = joint_ ? coupling.total : coupling.decrease;
        return std::min(std::clamp(gap, 0.0, rho_.at(slots)), 1.0 / lr);
    }

protected:
    Inputs ownReads() const override { return constrained_ ? Inputs{Input::weights} : Inputs{}; }
    /// The product with weights of this size fits.
    double ownLargestMagnitude(Shape shape, Dtype dtype) const override {
        if (!constrained_) return DualNormScaling::ownLargestMagnitude(shape, dtype);
        return 0.5 * std::sqrt(largestFinite(dtype) / static_cast<double>(std::max<Index>(1, shape.size())));
    }
    double length(std::span<const double> slots, double norm) const override {
        return std::min(rho_.at(slots), norm);
    }

private:
    template <class T>
    double decreaseIn(const Context<T>& c, const OracleResult& oracle, const T* m) const {
        const double norm = shapeFactor_ * oracle.dualNorm.full();
        return constrained_ ? norm + kernels::dot(c.size(), c.weights, m) : norm;
    }

    Value rho_;
    bool joint_, constrained_;
};

}  // namespace schattor
