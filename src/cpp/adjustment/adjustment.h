#pragma once

#include <optional>

#include "base/part.h"
#include "base/scaled.h"
#include "geometry/geometry.h"

namespace schattor {

/// Maps the direction after the oracle, at its length by the rule: a normalisation, a second moment, a
/// trust ratio.
class Adjustment : public Part {
public:
    /// d <- A(d). d points downhill. The oracle says what d was made from; its scales are in d already.
    virtual void apply(const Context<float>&, const OracleResult&, float* d) const = 0;
    virtual void apply(const Context<double>&, const OracleResult&, double* d) const = 0;

    /// Whether apply() does no more than give d the Frobenius norm length(), where that says one and d is not
    /// zero. The caller may then multiply a later factor instead of d.
    virtual bool rescales() const { return false; }
    virtual std::optional<Scaled> length(const Context<float>&, const OracleResult&) const { return {}; }
    virtual std::optional<Scaled> length(const Context<double>&, const OracleResult&) const { return {}; }
};

}  // namespace schattor
