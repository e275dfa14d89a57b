#pragma once

#include "base/part.h"

namespace schattor {

/// Moves the weights.
class Update : public Part {
public:
    /// w <- new weights, for the displacement factor * d. `w` holds the old ones on entry.
    virtual void apply(const Context<float>&, double factor, const float* d, float* w) const = 0;
    virtual void apply(const Context<double>&, double factor, const double* d, double* w) const = 0;
};

}  // namespace schattor
