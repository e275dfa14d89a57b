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

    /// Where a part is in parts(). The transforms are followed by the adjustments.
    enum Slot : std::size_t {
        ofEstimator,
        ofFrame,
        ofPreconditioner,
        ofGeometry,
        ofScaling,
        ofOutput,
        ofUpdate,
        ofTransforms
    };
    std::size_t ofAdjustments() const { return ofTransforms + transforms.size(); }

    /// All of them as a block of this shape uses them; null where there is none.
    std::vector<Child> parts(Shape) const;
    /// Of what the frame holds.
    Shape inner(Shape shape) const { return frame ? frame->inner(shape) : shape; }
    /// Raises std::invalid_argument where the parts do not fit the shape, each other, or what they hold.
    void check(Shape) const;

    /// The place of the part that needs sums over the blocks.
    std::optional<Slot> sharingSlot() const;
    const Sharing* sharing() const;

    Inputs reads() const;
    /// Whether the block may be worked through in pieces: each part is element-wise, and by Lemma 2 the
    /// oracle's step on the block consists of its steps on the pieces, which are then blocks of a mixed norm
    /// that separates.
    bool divisible(Shape) const;
};

}  // namespace schattor
