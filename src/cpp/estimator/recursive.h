#pragma once

#include <algorithm>
#include <cmath>

#include "estimator/estimator.h"

namespace schattor {

/// d <- G + b (d - G'), G' the gradient of the same samples at the previous point; the first d is G (STORM,
/// arXiv 1905.10018, with a = 1 - b). b = 1 is SARAH.
class Recursive : public Estimator {
public:
    explicit Recursive(Value momentum) : momentum_(momentum) {}

    std::vector<StateSlot> state(Shape shape) const override { return {{"estimate", shape}}; }
    const float* estimate(const Context<float>& c, const float* g, float*) const override {
        return run(c, share(c.slots, c.scalars), g);
    }
    const double* estimate(const Context<double>& c, const double* g, double*) const override {
        return run(c, share(c.slots, c.scalars), g);
    }
    Inputs ownReads() const override { return Input::previousGradient; }
    /// |d| <= b |d| + (1 + b) |g|; without end at b = 1, where a million steps of this size fit.
    double gain(std::span<const double> slots) const override {
        const double b = largestShare(slots);
        return roundingHeadroom * std::min((1.0 + b) / (1.0 - b), 2e6);
    }
    double retention(std::span<const double> slots) const override { return largestShare(slots); }

protected:
    /// b in this step, and the largest that it can be.
    virtual double share(std::span<const double> slots, std::span<const double> /*scalars*/) const {
        return momentum_.at(slots);
    }
    virtual double largestShare(std::span<const double> slots) const { return momentum_.at(slots); }

private:
    template <class T>
    static const T* run(const Context<T>& c, double share, const T* g) {
        T* d = c.state[0];
        if (c.count == 0) {
            std::copy(g, g + c.size(), d);
            return d;
        }
        const T b = static_cast<T>(share);
        const T* previous = c.extras.previous;
        for (Index i = 0; i < c.size(); ++i) d[i] = g[i] + b * (d[i] - previous[i]);
        return d;
    }

    Value momentum_;
};

/// The same with STORM's own step length and momentum: eta_t = lr / (w + sum_{s <= t} ||G_s||^2)^(1/3) over
/// all blocks of the recipe, and 1 - b_{t+1} = min(1, c eta_t^2).
class AdaptiveRecursive final : public Recursive {
public:
    AdaptiveRecursive(double w, double c) : Recursive(Value(0.0)), w_(w), c_(c) {}

    std::vector<ScalarSlot> scalars() const override {
        return {{"squared_norms"}, {"momentum"}, {"next_momentum"}};
    }
    /// A million steps of this size fit.
    double ownLargestMagnitude(Shape shape, Dtype dtype) const override {
        const double size = static_cast<double>(std::max<Index>(1, shape.size()));
        return std::min(largestFinite(dtype), 0.5e-3 * std::sqrt(largestFinite(Dtype::float64) / size));
    }

    Index sums() const override { return 2; }  // squared norms, and the number of gradients
    void measure(const Context<float>& c, const float* g, double* sums) const override {
        sums[0] = kernels::sumOfSquares(c.size(), g);
        sums[1] = 1.0;
    }
    void measure(const Context<double>& c, const double* g, double* sums) const override {
        sums[0] = kernels::sumOfSquares(c.size(), g);
        sums[1] = 1.0;
    }
    void share(std::span<const double>, std::span<const double> sums, double lr,
               std::span<double> scalars) const override {
        if (sums[1] == 0.0) return;
        scalars[0] += sums[0];
        scalars[1] = scalars[2];
        const double eta = lr * pace(scalars, 0);
        scalars[2] = 1.0 - std::min(1.0, c_ * eta * eta);
    }
    double pace(std::span<const double> scalars, std::int64_t) const override {
        return 1.0 / std::cbrt(w_ + scalars[0]);
    }

private:
    double share(std::span<const double>, std::span<const double> scalars) const override {
        return scalars[1];
    }
    double largestShare(std::span<const double>) const override { return 1.0; }

    double w_, c_;
};

}  // namespace schattor
