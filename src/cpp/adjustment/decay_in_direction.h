#pragma once

#include "adjustment/adjustment.h"
#include "base/kernels.h"

namespace schattor {

/// LAMB's weight decay (arXiv 1904.00962): d <- d - weight_decay W, so that what follows sees both.
class DecayInDirection final : public Adjustment {
public:
    explicit DecayInDirection(Value weightDecay) : weightDecay_(weightDecay) {}

    Inputs ownReads() const override { return Input::weights; }
    void apply(const Context<float>& c, const OracleResult&, float* d) const override { run(c, d); }
    void apply(const Context<double>& c, const OracleResult&, double* d) const override { run(c, d); }

private:
    template <class T>
    void run(const Context<T>& c, T* d) const {
        const double decay = c(weightDecay_);
        if (decay != 0.0) kernels::combine(c.size(), 1.0, d, -decay, c.weights, d);
    }

    Value weightDecay_;
};

}  // namespace schattor
