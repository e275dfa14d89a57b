#pragma once

#include <memory>
#include <vector>

#include "estimator/estimator.h"
#include "geometry/geometry.h"
#include "precond/preconditioner.h"
#include "scaling/scaling.h"
#include "transform/transform.h"
#include "update/update.h"

namespace schattor {

/// The parts of one block, in the order in which a step passes through them.
struct Pipeline {
    std::vector<std::shared_ptr<const Transform>> transforms;
    std::shared_ptr<const Estimator> estimator;
    std::shared_ptr<const Preconditioner> preconditioner;  ///< null: identity
    std::shared_ptr<const Geometry> geometry;
    std::shared_ptr<const Scaling> scaling;
    std::shared_ptr<const Estimator> output;  ///< momentum of the scaled direction; null: none
    std::shared_ptr<const Update> update;

    bool readsWeights() const {
        for (const auto& transform : transforms)
            if (transform->readsWeights()) return true;
        return false;
    }

    /// Whether the block may be worked through in pieces: each part is element-wise, and by Lemma 2 the
    /// oracle's step on the block consists of its steps on the pieces, which are then blocks of a mixed norm
    /// that separates.
    bool divisible(Shape shape) const {
        if (output) return false;
        for (const auto& transform : transforms)
            if (!transform->elementwise()) return false;
        if (preconditioner && !preconditioner->elementwise()) return false;
        const std::optional<double> r = geometry->pieceExponent(shape);
        return r && MixedNorm(*r).separates(scaling->rule()) && estimator->elementwise() &&
               update->elementwise();
    }
};

}  // namespace schattor
