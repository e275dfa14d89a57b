#pragma once

#include "base/part.h"
#include "coupler/mixed_norm.h"
#include "geometry/geometry.h"

namespace schattor {

/// Sets the length of the step along the oracle's direction.
class Scaling : public Part {
public:
    /// The factor on the oracle's array d, learning rate aside.
    virtual double factor(std::span<const double> slots, const OracleResult&, const Coupling&) const = 0;
    /// The same where the block is not divided, for a scaling that reads more of it.
    virtual double factorOf(const Context<float>& c, const OracleResult& oracle, const Coupling& k) const {
        return factor(c.slots, oracle, k);
    }
    virtual double factorOf(const Context<double>& c, const OracleResult& oracle, const Coupling& k) const {
        return factor(c.slots, oracle, k);
    }
    virtual Rule rule() const = 0;
    /// Whether the step grows with the dual norm, which must then fit into the dtype.
    virtual bool growsWithNorm() const { return rule() == Rule::regularization; }

    /// The first-order decrease that the block's step of length one promises, where the estimate is m.
    virtual double decrease(const Context<float>&, const OracleResult&, const float* /*m*/) const {
        return 0.0;
    }
    virtual double decrease(const Context<double>&, const OracleResult&, const double* /*m*/) const {
        return 0.0;
    }
    /// Whether factor and pace follow from the decrease of all such blocks together, whatever their recipe.
    virtual bool joint() const { return false; }
    /// The factor on the learning rate, which decay follows.
    virtual double pace(std::span<const double>, double /*lr*/, const Coupling&) const { return 1.0; }
};

/// The ball rule (length one) or the regularization rule (length ||G||_dual), times a constant:
/// the shape factor of the block.
class NormScaling final : public Scaling {
public:
    NormScaling(Rule rule, double shapeFactor) : rule_(rule), shapeFactor_(shapeFactor) {}

    double factor(std::span<const double>, const OracleResult& oracle,
                  const Coupling& coupling) const override {
        const double length = rule_ == Rule::ball ? oracle.ballScale * coupling.ball
                                                  : oracle.regularizedScale * coupling.regularized;
        return shapeFactor_ * length;
    }
    Rule rule() const override { return rule_; }
    bool ownElementwise() const override { return true; }

private:
    Rule rule_;
    double shapeFactor_;
};

}  // namespace schattor
