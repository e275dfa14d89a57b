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
    std::shared_ptr<const Update> update;

    bool readsWeights() const {
        for (const auto& transform : transforms)
            if (transform->readsWeights()) return true;
        return false;
    }
};

}  // namespace schattor
