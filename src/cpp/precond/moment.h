#pragma once

#include <cmath>
#include <memory>
#include <optional>

#include "base/descent.h"
#include "base/part.h"

namespace schattor {

/// The array whose root a diagonal metric divides by: it follows the gradients entry by entry.
class Moment : public Part {
public:
    virtual void observe(const Context<float>&, const float* g, const float* m) const = 0;
    virtual void observe(const Context<double>&, const double* g, const double* m) const = 0;
    /// Where the moment stands: a state array, or `work`.
    virtual const float* value(const Context<float>&, float* work) const = 0;
    virtual const double* value(const Context<double>&, double* work) const = 0;
    bool ownElementwise() const override { return true; }

    /// How the arrays advance, for a moment of that form.
    virtual std::optional<kernels::Metric> metric(std::span<const double>) const { return std::nullopt; }
    /// Largest gradient magnitude that the state can take: half of it, as roundings add up.
    double ownLargestMagnitude(Shape, Dtype dtype) const override {
        return 0.5 * std::sqrt(largestFinite(dtype));
    }
};

// Both dtypes of the two calls, from the templates observeIn and valueIn.
#define SCHATTOR_MOMENT_CALLS                                                                            \
    void observe(const Context<float>& c, const float* g, const float* m) const override {               \
        observeIn(c, g, m);                                                                              \
    }                                                                                                    \
    void observe(const Context<double>& c, const double* g, const double* m) const override {            \
        observeIn(c, g, m);                                                                              \
    }                                                                                                    \
    const float* value(const Context<float>& c, float* work) const override { return valueIn(c, work); } \
    const double* value(const Context<double>& c, double* work) const override { return valueIn(c, work); }

/// V <- b V + (1 - b) G^2
class Squares final : public Moment {
public:
    explicit Squares(Value beta) : beta_(beta) {}
    std::vector<StateSlot> state(Shape s) const override { return {{"second_moment", s}}; }
    std::optional<kernels::Metric> metric(std::span<const double> slots) const override {
        const double b = beta_.at(slots);
        return kernels::Metric{.kind = kernels::Metric::Kind::squares, .b = b, .add = 1.0 - b};
    }
    SCHATTOR_MOMENT_CALLS

private:
    template <class T>
    void observeIn(const Context<T>& c, const T* g, const T*) const {
        const double b = c(beta_);
        kernels::averageSquares(c.size(), b, 1.0 - b, g, c.state[0]);
    }
    template <class T>
    const T* valueIn(const Context<T>& c, T*) const {
        return c.state[0];
    }
    Value beta_;
};

/// V <- V + G^2, from V = initial (AdaGrad).
class SumOfSquares final : public Moment {
public:
    explicit SumOfSquares(double initial) : initial_(initial) {}
    std::vector<StateSlot> state(Shape s) const override { return {{"sum_of_squares", s, initial_}}; }
    std::optional<kernels::Metric> metric(std::span<const double>) const override {
        return kernels::Metric{.kind = kernels::Metric::Kind::squares, .b = 1.0, .add = 1.0};
    }
    /// A million steps of this size fit.
    double ownLargestMagnitude(Shape, Dtype dtype) const override {
        return 0.5e-3 * std::sqrt(largestFinite(dtype));
    }
    SCHATTOR_MOMENT_CALLS

private:
    template <class T>
    void observeIn(const Context<T>& c, const T* g, const T*) const {
        kernels::averageSquares(c.size(), 1.0, 1.0, g, c.state[0]);
    }
    template <class T>
    const T* valueIn(const Context<T>& c, T*) const {
        return c.state[0];
    }
    double initial_;
};

/// The entrywise largest value of another moment so far (AMSGrad).
class Largest final : public Moment {
public:
    explicit Largest(std::shared_ptr<const Moment> inner) : inner_(std::move(inner)) {}
    std::vector<StateSlot> state(Shape s) const override {
        const std::vector<StateSlot> inner = inner_->state(s);
        return {{"largest_" + (inner.empty() ? "moment" : inner.front().name), s}};
    }
    std::vector<Child> children(Shape s) const override { return {{inner_.get(), s}}; }
    std::optional<kernels::Metric> metric(std::span<const double> slots) const override {
        std::optional<kernels::Metric> result = inner_->metric(slots);
        if (!result || result->kind != kernels::Metric::Kind::squares) return std::nullopt;
        result->kind = kernels::Metric::Kind::largest;
        return result;
    }
    /// As much as the other moment.
    double ownLargestMagnitude(Shape, Dtype dtype) const override { return largestFinite(dtype); }
    SCHATTOR_MOMENT_CALLS

private:
    template <class T>
    void observeIn(const Context<T>& c, const T* g, const T* m) const {
        const Context<T> inner = c.child(0);
        inner_->observe(inner, g, m);
        const ArenaFrame frame(*c.arena);
        const T* v = inner_->value(inner, c.arena->template take<T>(static_cast<std::size_t>(c.size())));
        kernels::raise(c.size(), v, c.state[0]);
    }
    template <class T>
    const T* valueIn(const Context<T>& c, T*) const {
        return c.state[0];
    }
    std::shared_ptr<const Moment> inner_;
};

/// V - A^2 with V <- b V + (1 - b) G^2 and A <- b A + (1 - b) G, not below zero (centred RMSprop).
class CentredSquares final : public Moment {
public:
    explicit CentredSquares(Value beta) : beta_(beta) {}
    std::vector<StateSlot> state(Shape s) const override { return {{"second_moment", s}, {"mean", s}}; }
    SCHATTOR_MOMENT_CALLS

private:
    template <class T>
    void observeIn(const Context<T>& c, const T* g, const T*) const {
        const double b = c(beta_);
        kernels::averageSquares(c.size(), b, 1.0 - b, g, c.state[0]);
        kernels::combine(c.size(), b, c.state[1], 1.0 - b, g, c.state[1]);
    }
    template <class T>
    const T* valueIn(const Context<T>& c, T* work) const {
        kernels::variance(c.size(), c.state[0], c.state[1], work);
        return work;
    }
    Value beta_;
};

/// S <- b S + (1 - b) (G - M)^2 + eps, M being the estimate (AdaBelief).
class Deviations final : public Moment {
public:
    Deviations(Value beta, Value eps) : beta_(beta), eps_(eps) {}
    std::vector<StateSlot> state(Shape s) const override { return {{"deviation", s}}; }
    std::optional<kernels::Metric> metric(std::span<const double> slots) const override {
        const double b = beta_.at(slots);
        return kernels::Metric{
            .kind = kernels::Metric::Kind::deviations, .b = b, .add = 1.0 - b, .inner = eps_.at(slots)};
    }
    /// G - M is at most twice as large as the largest gradient.
    double ownLargestMagnitude(Shape, Dtype dtype) const override {
        return 0.25 * std::sqrt(largestFinite(dtype));
    }
    SCHATTOR_MOMENT_CALLS

private:
    template <class T>
    void observeIn(const Context<T>& c, const T* g, const T* m) const {
        kernels::averageDeviations(c.size(), c(beta_), g, m, c(eps_), c.state[0]);
    }
    template <class T>
    const T* valueIn(const Context<T>& c, T*) const {
        return c.state[0];
    }
    Value beta_;
    Value eps_;
};

#undef SCHATTOR_MOMENT_CALLS

}  // namespace schattor
