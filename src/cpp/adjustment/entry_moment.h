#pragma once

#include "adjustment/adjustment.h"
#include "base/kernels.h"

namespace schattor {

/// AdaMuon's second moment of each entry (arXiv 2507.11005): with V <- b V + (1 - b) d^2 from zero,
/// d <- d / (sqrt(V) + eps), zero where that is. For directions of the ball rule: their squares fit.
class EntryMoment final : public Adjustment {
public:
    EntryMoment(Value beta, Value eps) : beta_(beta), eps_(eps) {}

    std::vector<StateSlot> state(Shape s) const override { return {{"entry_moment", s}}; }
    void apply(const Context<float>& c, const OracleResult&, float* d) const override { run(c, d); }
    void apply(const Context<double>& c, const OracleResult&, double* d) const override { run(c, d); }

private:
    template <class T>
    void run(const Context<T>& c, T* d) const {
        const double b = c(beta_);
        kernels::averageSquares(c.size(), b, 1.0 - b, d, c.state[0]);
        kernels::divideByRoot(c.size(), 1.0, d, 1.0, c.state[0], c(eps_), d);
    }

    Value beta_;
    Value eps_;
};

}  // namespace schattor
