#pragma once

#include <cmath>

#include "adjustment/adjustment.h"
#include "linalg/line_lengths.h"

namespace schattor {

/// NorMuon's second moment of each line (arXiv 2510.05491): with v_i <- b v_i + (1 - b) mean_j d_ij^2 from
/// zero, d_ij <- d_ij / (sqrt(v_i) + eps), zero where that is below the dtype. For directions of the ball
/// rule: their squares fit.
class LineMoment final : public Adjustment {
public:
    LineMoment(Lines lines, Value beta, double eps) : lines_(lines), beta_(beta), eps_(eps) {}

    std::vector<StateSlot> state(Shape s) const override {
        return {{"line_moment", {countOf(lines_, s), 1}}};
    }
    void apply(const Context<float>& c, const OracleResult&, float* d) const override { run(c, d); }
    void apply(const Context<double>& c, const OracleResult&, double* d) const override { run(c, d); }

private:
    template <class T>
    void run(const Context<T>& c, T* d) const {
        const ArenaFrame frame(*c.arena);
        const Index count = countOf(lines_, c.shape);
        const double b = c(beta_), entries = static_cast<double>(c.size()) / static_cast<double>(count);
        const LineLength* lengths = lineLengths(lines_, c.shape, d, *c.arena);
        double* factors = c.arena->template take<double>(static_cast<std::size_t>(count));
        for (Index k = 0; k < count; ++k) {
            T& v = c.state[0][k];
            const double length = lengths[k].full();
            v = static_cast<T>(b * v + (1.0 - b) * length * length / entries);
            const double root = std::sqrt(static_cast<double>(v)) + eps_;
            factors[k] = root >= smallestNormal(dtypeOf<T>) ? 1.0 / root : 0.0;
        }
        scaleLines(lines_, c.shape, d, factors, d);
    }

    Lines lines_;
    Value beta_;
    double eps_;
};

}  // namespace schattor
