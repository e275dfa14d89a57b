#pragma once

#include <memory>

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
    bool ownElementwise() const override { return true; }
};

/// Grafting (arXiv 2002.11803): the direction of one metric at the length of another, and before step
/// `start`, counted from 1, the other's own.
class Grafted final : public Preconditioner {
public:
    Grafted(std::shared_ptr<const Preconditioner> direction, std::shared_ptr<const Preconditioner> length,
            std::int64_t start)
        : direction_(std::move(direction)), length_(std::move(length)), start_(start) {}

    std::vector<Child> children(Shape s) const override {
        return {{length_.get(), s, "graft_"}, {direction_.get(), s}};
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
    enum : std::size_t { ofLength, ofDirection };
    template <class T>
    void observeIn(const Context<T>& c, const T* g, const T* m) const {
        length_->observe(c.child(ofLength), g, m);
        direction_->observe(c.child(ofDirection), g, m);
    }
    template <class T>
    void applyIn(const Context<T>& c, const T* m, T* out) const {
        const Index n = c.size();
        if (c.count + 1 < start_) return length_->apply(c.child(ofLength), m, out);
        const ArenaFrame frame(*c.arena);
        T* other = c.arena->template take<T>(static_cast<std::size_t>(n));
        length_->apply(c.child(ofLength), m, other);
        direction_->apply(c.child(ofDirection), m, out);
        const auto norm = [n](const T* x) { return frobeniusNorm(n, x).normalized(); };
        const Scaled wanted = norm(other), found = norm(out);
        if (!found.isZero()) kernels::scale(n, wanted.relativeTo(found.exponent) / found.value, out, out);
    }

    std::shared_ptr<const Preconditioner> direction_, length_;
    std::int64_t start_;
};

}  // namespace schattor
