#pragma once

#include <algorithm>
#include <vector>

#include "adjustment/adjustment.h"
#include "linalg/line_lengths.h"

namespace schattor {

/// Muon+ (arXiv 2602.21545): divides each row or column by sqrt(length^2 + eps), for one kind of line after
/// the other.
class LineNormalization final : public Adjustment {
public:
    LineNormalization(std::vector<Lines> order, double eps) : order_(std::move(order)), eps_(eps) {}

    void apply(const Context<float>& c, const OracleResult&, float* d) const override { run(c, d); }
    void apply(const Context<double>& c, const OracleResult&, double* d) const override { run(c, d); }

private:
    template <class T>
    void run(const Context<T>& c, T* d) const {
        for (const Lines lines : order_) normalizeLines(lines, c.shape, d, eps_, d, *c.arena);
    }

    std::vector<Lines> order_;
    double eps_;
};

}  // namespace schattor
