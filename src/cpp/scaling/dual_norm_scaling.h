#pragma once

#include <cmath>

#include "base/value.h"
#include "scaling/scaling.h"

namespace schattor {

/// Steps along the ball direction whose length is a function of the dual norm. With a shape factor s the norm
/// is the geometry's divided by s: the ball direction is s D and the dual norm s ||G||.
class DualNormScaling : public Scaling {
public:
    explicit DualNormScaling(double shapeFactor) : shapeFactor_(shapeFactor) {}

    double factor(std::span<const double> slots, const OracleResult& oracle,
                  const Coupling& coupling) const override {
        if (oracle.dualNorm.isZero()) return 0.0;
        const double norm = shapeFactor_ * oracle.dualNorm.full();
        return shapeFactor_ * oracle.ballScale * coupling.ball * length(slots, norm);
    }
    Rule rule() const override { return Rule::ball; }

protected:
    /// For a positive norm, which may be infinite.
    virtual double length(std::span<const double> slots, double norm) const = 0;

    const double shapeFactor_;
};

/// ||G|| / (L0 + L1 ||G||): the step under (L0, L1)-smoothness in this norm (Gluon, arXiv 2505.13416).
class SmoothnessStep final : public DualNormScaling {
public:
    SmoothnessStep(double shapeFactor, Value l0, Value l1) : DualNormScaling(shapeFactor), l0_(l0), l1_(l1) {}
    bool growsWithNorm() const override { return true; }

protected:
    double length(std::span<const double> slots, double norm) const override {
        return 1.0 / (l0_.at(slots) / norm + l1_.at(slots));
    }

private:
    Value l0_, l1_;
};

/// The ball direction times ||G||^power, times the shape factor: power 0 is the ball, 1 the regularization
/// rule. On a Schatten norm with q - 1 = power it is U s^power V'.
class NormPower final : public Scaling {
public:
    NormPower(double shapeFactor, Value power) : shapeFactor_(shapeFactor), power_(power) {}

    double factor(std::span<const double> slots, const OracleResult& oracle,
                  const Coupling& coupling) const override {
        if (oracle.dualNorm.isZero()) return 0.0;
        const double length = std::pow(oracle.dualNorm.full(), power_.at(slots));
        return shapeFactor_ * oracle.ballScale * coupling.ball * length;
    }
    Rule rule() const override { return Rule::ball; }
    bool growsWithNorm() const override { return true; }

private:
    double shapeFactor_;
    Value power_;
};

}  // namespace schattor
