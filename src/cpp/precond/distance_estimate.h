#pragma once

#include <algorithm>
#include <cmath>

#include "precond/preconditioner.h"

namespace schattor {

/// Adam's metric at a step length that follows from the distance travelled (Prodigy, arXiv 2306.06101). One d
/// for all blocks of the recipe; with gamma = d lr, and the sums over all entries of all blocks,
///     r <- b3 r + d / d0 gamma <G, W_0 - W>,
///     s <- b3 s + d / d0 gamma G,  estimate = coefficient r / ||s||_1,
///     M <- b1 M + (1 - b1) d G,  V <- b2 V + (1 - b2) d^2 G^2,
/// all with the old d; then d <- min(largest estimate so far, growth d), and the step is
/// gamma M / (sqrt(V) + d eps) with the old gamma and the new d.
class DistanceEstimate final : public Preconditioner {
public:
    struct Options {
        double beta1, beta2, beta3, eps;
        double start;  ///< d0
        double coefficient, growth;
        bool debias;  ///< gamma times sqrt(1 - b2^t) / (1 - b1^t)
        bool warmup;  ///< s takes d G instead of gamma G
        Index every;  ///< s and W_0 are kept for every so many entries
    };
    explicit DistanceEstimate(const Options& options) : o_(options) {}

    std::vector<StateSlot> state(Shape s) const override {
        const Shape kept{1, keptOf(s.size())};
        std::vector<StateSlot> slots = {{"scaled_second_moment", s}};
        if (o_.beta1 > 0.0) slots.push_back({"scaled_average", s});
        slots.push_back({"weighted_sum", o_.every == 1 ? s : kept});
        slots.push_back({"start", o_.every == 1 ? s : kept});
        return slots;
    }
    std::vector<ScalarSlot> scalars() const override {
        return {{"d", o_.start}, {"largest_d", o_.start}, {"numerator", 0.0}, {"d_of_step", o_.start}};
    }
    Inputs ownReads() const override { return Input::weights; }
    /// d G must be squared: room for a d of a thousand.
    double ownLargestMagnitude(Shape, Dtype dtype) const override {
        return 0.5e-3 * std::sqrt(largestFinite(dtype));
    }

    Index sums() const override { return 2; }
    void measure(const Context<float>& c, const float* g, double* sums) const override { run(c, g, sums); }
    void measure(const Context<double>& c, const double* g, double* sums) const override { run(c, g, sums); }
    void share(std::span<const double>, std::span<const double> sums, double,
               std::span<double> scalars) const override {
        if (sums[1] == 0.0) return;  // nothing is known yet
        double &d = scalars[0], &largest = scalars[1], &numerator = scalars[2];
        scalars[3] = d;
        numerator = o_.beta3 * numerator + sums[0];
        const double estimate = o_.coefficient * numerator / sums[1];
        if (d == o_.start) d = std::max(d, estimate);
        largest = std::max(largest, estimate);
        d = std::min(largest, d * o_.growth);
    }
    double pace(std::span<const double> scalars, std::int64_t count) const override {
        return scalars[3] * correction(count);
    }
    void apply(const Context<float>& c, const float* m, float* out) const override { divide(c, m, out); }
    void apply(const Context<double>& c, const double* m, double* out) const override { divide(c, m, out); }

private:
    Index keptOf(Index n) const { return (n + o_.every - 1) / o_.every; }

    double correction(std::int64_t count) const {
        if (!o_.debias) return 1.0;
        const double t = static_cast<double>(count + 1);
        return std::sqrt(1.0 - std::pow(o_.beta2, t)) / (1.0 - std::pow(o_.beta1, t));
    }

    template <class T>
    void run(const Context<T>& c, const T* g, double* sums) const {
        T* const second = c.state[0];
        T* const weighted = c.state[c.state.size() - 2];
        T* const start = c.state[c.state.size() - 1];
        const double d = c.scalars[0];
        kernels::averageSquares(c.size(), o_.beta2, (1.0 - o_.beta2) * d * d, g, second);
        if (o_.beta1 > 0.0)
            kernels::combine(c.size(), o_.beta1, c.state[1], d * (1.0 - o_.beta1), g, c.state[1]);
        const ArenaFrame frame(*c.arena);
        const Index kept = keptOf(c.size());
        const T *seen = sampled(c, g), *weights = sampled(c, c.weights);
        if (c.count == 0) std::copy(weights, weights + kept, start);
        const double gamma = d * c.lr * correction(c.count), share = d / o_.start;
        const double weight = share * (o_.warmup ? d : gamma);
        kernels::combine(kept, o_.beta3, weighted, weight, seen, weighted);
        sums[0] = share * gamma * kernels::dotDifference(kept, seen, start, weights);
        sums[1] = kernels::sumOfMagnitudes(kept, 0, weighted);
    }

    /// Every so many entries of x, in the arena unless these are all.
    template <class T>
    const T* sampled(const Context<T>& c, const T* x) const {
        if (o_.every == 1) return x;
        const Index kept = keptOf(c.size());
        T* result = c.arena->template take<T>(static_cast<std::size_t>(kept));
        for (Index i = 0; i < kept; ++i) result[i] = x[i * o_.every];
        return result;
    }

    template <class T>
    void divide(const Context<T>& c, const T* m, T* out) const {
        const double d = c.scalars[0];
        const bool averages = o_.beta1 > 0.0;
        kernels::divideByRoot(c.size(), averages ? 1.0 : d, averages ? c.state[1] : m, 1.0, c.state[0],
                              d * o_.eps, out);
    }

    Options o_;
};

}  // namespace schattor
