#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/kernels.h"
#include "base/power_of_two.h"
#include "base/value.h"
#include "linalg/line_lengths.h"
#include "precond/preconditioner.h"

namespace schattor {

/// Takes from each line of the estimate what lies along the same line of the weights: m - <m, p> p with
/// p = w / ||w||, zero for a zero line (Mano, arXiv 2601.23000). Lines are rows or columns, chosen anew in
/// each step.
class TangentProjection final : public Preconditioner {
public:
    TangentProjection(Value choice, std::vector<Lines> lines) : choice_(choice), lines_(std::move(lines)) {}

    bool readsWeights() const override { return true; }
    /// An entry of the result is at most as large as its line is long.
    double largestMagnitude(Shape s, Dtype dtype) const override {
        return 0.5 * largestFinite(dtype) / std::sqrt(static_cast<double>(std::max<Index>(1, s.larger())));
    }
    std::size_t scratch(Shape s, Dtype) const override {
        return std::max(lineLengthsScratch(Lines::rows, s), lineLengthsScratch(Lines::columns, s)) +
               Arena::bytesFor<double>(static_cast<std::size_t>(s.larger()));
    }
    void apply(const Context<float>& c, const float* m, float* out) const override { run(c, m, out); }
    void apply(const Context<double>& c, const double* m, double* out) const override { run(c, m, out); }

private:
    template <class T>
    void run(const Context<T>& c, const T* m, T* out) const {
        const ArenaFrame frame(*c.arena);
        const Lines lines = lines_[static_cast<std::size_t>(c(choice_))];
        const bool rows = lines == Lines::rows;
        const Index count = countOf(lines, c.shape), cols = c.shape.cols;
        const int exponent = kernels::exponentOf(c.size(), m);
        const PowerOfTwo down(-exponent), up(exponent);
        const LineLength* lengths = lineLengths(lines, c.shape, c.weights, *c.arena);
        double* along = c.arena->template take<double>(static_cast<std::size_t>(count));
        std::fill(along, along + count, 0.0);
        const auto unit = [&](Index i, Index j) {
            return lengths[rows ? i : j].share(c.weights[i * cols + j]);
        };
        for (Index i = 0; i < c.shape.rows; ++i)
            for (Index j = 0; j < cols; ++j) along[rows ? i : j] += down(m[i * cols + j]) * unit(i, j);
        for (Index i = 0; i < c.shape.rows; ++i)
            for (Index j = 0; j < cols; ++j) {
                const double value = down(m[i * cols + j]) - along[rows ? i : j] * unit(i, j);
                out[i * cols + j] = static_cast<T>(up(value));
            }
    }

    Value choice_;
    std::vector<Lines> lines_;
};

}  // namespace schattor
