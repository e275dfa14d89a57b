#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/kernels.h"
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

    Inputs ownReads() const override { return Input::weights; }
    /// An entry of the result is at most as large as its line is long.
    double ownLargestMagnitude(Shape s, Dtype dtype) const override {
        return 0.5 * largestFinite(dtype) / std::sqrt(static_cast<double>(std::max<Index>(1, s.larger())));
    }
    void apply(const Context<float>& c, const float* m, float* out) const override { run(c, m, out); }
    void apply(const Context<double>& c, const double* m, double* out) const override { run(c, m, out); }

private:
    template <class T>
    void run(const Context<T>& c, const T* m, T* out) const {
        const ArenaFrame frame(*c.arena);
        const Lines lines = lines_[static_cast<std::size_t>(c(choice_))];
        const Index n = c.size();
        const auto count = static_cast<std::size_t>(countOf(lines, c.shape));
        T* p = c.arena->template take<T>(static_cast<std::size_t>(n));
        normalizeLines(lines, c.shape, c.weights, 0.0, p, *c.arena);
        // Products of float with the entries of p stay in the range of double.
        const int exponent = sizeof(T) < sizeof(double) ? 0 : kernels::exponentOf(n, m);
        if (exponent != 0) kernels::scaleByPowerOfTwo(n, -exponent, m, out);
        const T* unit = exponent != 0 ? out : m;
        double* one = c.arena->template take<double>(count);
        double* along = c.arena->template take<double>(count);
        std::fill(one, one + count, 1.0);
        dotLines(lines, c.shape, unit, p, along);
        for (std::size_t k = 0; k < count; ++k) along[k] = -along[k];
        combineLines(lines, c.shape, one, unit, along, p, out);
        if (exponent != 0) kernels::scaleByPowerOfTwo(n, exponent, out, out);
    }

    Value choice_;
    std::vector<Lines> lines_;
};

}  // namespace schattor
