#pragma once

#include <memory>
#include <vector>

#include "adjustment/adjustment.h"
#include "estimator/estimator.h"
#include "frame/frame.h"
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
    std::shared_ptr<const Frame> frame;                    ///< round preconditioner and geometry; null: none
    std::shared_ptr<const Preconditioner> preconditioner;  ///< null: identity
    std::shared_ptr<const Geometry> geometry;
    std::vector<std::shared_ptr<const Adjustment>> adjustments;
    std::shared_ptr<const Scaling> scaling;
    std::shared_ptr<const Estimator> output;  ///< momentum of the scaled direction; null: none
    bool outputTakesLr = false;               ///< its buffer holds displacements, learning rate included
    std::shared_ptr<const Update> update;

    /// Calls f(part) for every part that is there, in a fixed order.
    template <class F>
    void forEach(F f) const {
        const auto call = [&](const Part* part) {
            if (part != nullptr) f(*part);
        };
        for (const auto& transform : transforms) call(transform.get());
        call(estimator.get());
        call(frame.get());
        call(preconditioner.get());
        call(geometry.get());
        for (const auto& adjustment : adjustments) call(adjustment.get());
        call(scaling.get());
        call(output.get());
        call(update.get());
    }

    /// The part that needs sums over the blocks; null: none.
    const Sharing* sharing() const {
        if (estimator->sums() > 0) return estimator.get();
        return preconditioner && preconditioner->sums() > 0 ? preconditioner.get() : nullptr;
    }

    bool readsWeights() const {
        bool reads = false;
        forEach([&](const Part& part) { reads = reads || part.readsWeights(); });
        return reads;
    }

    /// Whether the block may be worked through in pieces: each part is element-wise, and by Lemma 2 the
    /// oracle's step on the block consists of its steps on the pieces, which are then blocks of a mixed norm
    /// that separates.
    bool divisible(Shape shape) const {
        if (output || frame || !adjustments.empty() || sharing() != nullptr) return false;
        for (const auto& transform : transforms)
            if (!transform->elementwise()) return false;
        if (preconditioner && !preconditioner->elementwise()) return false;
        const std::optional<double> r = geometry->pieceExponent(shape);
        return r && MixedNorm(*r).separates(scaling->rule()) && estimator->elementwise() &&
               scaling->elementwise() && update->elementwise();
    }
};

}  // namespace schattor
