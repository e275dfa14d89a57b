#pragma once

#include "base/part.h"
#include "geometry/geometry.h"

namespace schattor {

/// Maps the direction after the oracle, at its length by the rule: a normalisation, a second moment, a trust
/// ratio.
class Adjustment : public Part {
public:
    /// d <- A(d). d points downhill. The oracle says what d was made from; its scales are in d already.
    virtual void apply(const Context<float>&, const OracleResult&, float* d) const = 0;
    virtual void apply(const Context<double>&, const OracleResult&, double* d) const = 0;
};

}  // namespace schattor
