#pragma once

#include <memory>
#include <stdexcept>

#include "linalg/norms.h"
#include "precond/preconditioner.h"

namespace schattor {

/// Leaves the estimate as it is.
class Identity final : public Preconditioner {
public:
    void apply(const Context<float>& c, const float* m, float* out) const override {
        std::copy(m, m + c.size(), out);
    }
    void apply(const Context<double>& c, const double* m, double* out) const override {
        std::copy(m, m + c.size(), out);
    }
    bool elementwise() const override { return true; }
};

/// Grafting (arXiv 2002.11803): the direction of one metric at the length of another, and before step
/// `start`, counted from 1, the other's own. How many state arrays the other has must not depend on the
/// shape.
class Grafted final : public Preconditioner {
public:
    Grafted(std::shared_ptr<const Preconditioner> direction, std::shared_ptr<const Preconditioner> length,
            std::int64_t start)
        : direction_(std::move(direction)),
          length_(std::move(length)),
          start_(start),
          arrays_(length_->state({1, 1}).size()),
          numbers_(length_->scalars().size()) {}

    std::vector<StateSlot> state(Shape s) const override {
        std::vector<StateSlot> result = length_->state(s);
        if (result.size() != arrays_) throw std::invalid_argument("grafting from a metric of varying state");
        for (StateSlot& slot : result) slot.name = "graft_" + slot.name;
        for (const StateSlot& slot : direction_->state(s)) result.push_back(slot);
        return result;
    }
    std::vector<ScalarSlot> scalars() const override {
        std::vector<ScalarSlot> result = length_->scalars();
        for (const ScalarSlot& slot : direction_->scalars()) result.push_back(slot);
        return result;
    }
    std::size_t scratch(Shape s, Dtype dtype) const override {
        return Arena::bytesFor(static_cast<std::size_t>(s.size()), dtype) +
               std::max(direction_->scratch(s, dtype), length_->scratch(s, dtype));
    }
    bool readsWeights() const override { return direction_->readsWeights() || length_->readsWeights(); }
    double largestMagnitude(Shape s, Dtype dtype) const override {
        return std::min(direction_->largestMagnitude(s, dtype), length_->largestMagnitude(s, dtype));
    }
    void observe(const Context<float>& c, const float* g, const float* m) const override {
        observeIn(c, g, m);
    }
    void observe(const Context<double>& c, const double* g, const double* m) const override {
        observeIn(c, g, m);
    }
    void apply(const Context<float>& c, const float* m, float* out) const override { applyIn(c, m, out); }
    void apply(const Context<double>& c, const double* m, double* out) const override { applyIn(c, m, out); }

private:
    template <class T>
    Context<T> ofLength(Context<T> c) const {
        c.state = c.state.first(arrays_);
        c.scalars = c.scalars.first(numbers_);
        return c;
    }
    template <class T>
    Context<T> ofDirection(Context<T> c) const {
        c.state = c.state.subspan(arrays_);
        c.scalars = c.scalars.subspan(numbers_);
        return c;
    }
    template <class T>
    void observeIn(const Context<T>& c, const T* g, const T* m) const {
        length_->observe(ofLength(c), g, m);
        direction_->observe(ofDirection(c), g, m);
    }
    template <class T>
    void applyIn(const Context<T>& c, const T* m, T* out) const {
        const Index n = c.size();
        if (c.count + 1 < start_) return length_->apply(ofLength(c), m, out);
        const ArenaFrame frame(*c.arena);
        T* other = c.arena->template take<T>(static_cast<std::size_t>(n));
        length_->apply(ofLength(c), m, other);
        direction_->apply(ofDirection(c), m, out);
        const auto norm = [n](const T* x) { return frobeniusNorm(n, x).normalized(); };
        const Scaled wanted = norm(other), found = norm(out);
        if (!found.isZero()) kernels::scale(n, wanted.relativeTo(found.exponent) / found.value, out, out);
    }

    std::shared_ptr<const Preconditioner> direction_, length_;
    std::int64_t start_;
    std::size_t arrays_, numbers_;
};

}  // namespace schattor
