#pragma once

#include <span>

#include "base/scaled.h"

namespace schattor {

/// What the coupler gives back to a block: the factor on its ball direction in each rule.
struct Coupling {
    double ball = 1.0;         ///< tau_i / w_i
    double regularized = 1.0;  ///< relative to the block's own regularization step
    double decrease = 0.0;     ///< that the block's step promises; see Scaling::decrease()
    double total = 0.0;        ///< that of all blocks whose scaling is joint
};

/// The rules of Algorithms 1-4.
enum class Rule { ball, regularization };

/// The mixed norm of Lemma 2: || (w_i ||X_i||)_i ||_r. It sees one number per block, the dual norm.
class MixedNorm {
public:
    /// Raises std::invalid_argument unless outer is in [1, inf].
    explicit MixedNorm(double outer);

    /// Whether a block's factor depends on that block alone.
    bool separates(Rule rule) const;

    /// The factor of one block where the rule separates.
    Coupling alone(double weight) const { return {1.0 / weight, 1.0 / (weight * weight)}; }

    /// ||G||_* of all blocks, and each block's factors. A block with dual norm zero gets zero.
    Scaled couple(std::span<const Scaled> dualNorms, std::span<const double> weights,
                  std::span<Coupling> out) const;

    /// The primal norm of blocks with these norms.
    Scaled norm(std::span<const Scaled> norms, std::span<const double> weights) const;

private:
    double outer_;
};

}  // namespace schattor
