#pragma once

#include <optional>

#include "linalg/inverse_root.h"
#include "linalg/sides.h"
#include "precond/preconditioner.h"

namespace schattor {

/// When what is costly is computed anew: in step `start`, counted from 1, and then in every step that is a
/// multiple of `frequency`.
struct Refresh {
    std::int64_t start = 1;
    std::int64_t frequency = 1;

    bool due(std::int64_t count) const {
        const std::int64_t t = count + 1;
        return t == start || (t > start && t % frequency == 0);
    }
};

/// A metric L (x) R: P(M) = A M B, A and B being powers of a matrix for each side that follows the gradients
/// or what they are made from. Before the first powers are there the estimate is left as it is.
class KroneckerFactors : public Preconditioner {
public:
    std::vector<StateSlot> state(Shape) const override;
    void apply(const Context<float>& c, const float* m, float* out) const override { applyIn(c, m, out); }
    void apply(const Context<double>& c, const double* m, double* out) const override { applyIn(c, m, out); }

protected:
    /// A vector has its long side only where `vectorsHaveOneSide`. A side longer than `largest` has the
    /// identity.
    KroneckerFactors(Refresh refresh, bool vectorsHaveOneSide, std::optional<Index> largest)
        : refresh_(refresh), vectorsHaveOneSide_(vectorsHaveOneSide), largest_(largest) {}

    bool has(Side side, Shape shape) const {
        if (largest_ && sizeOf(side, shape) > *largest_) return false;
        if (!vectorsHaveOneSide_ || !shape.isVector()) return true;
        return side == (shape.rows >= shape.cols ? Side::left : Side::right);
    }
    template <class T>
    T* factor(Side side, const Context<T>& c) const {
        return c.state[side == Side::right && has(Side::left, c.shape) ? 2 : 0];
    }
    template <class T>
    T* power(Side side, const Context<T>& c) const {
        return c.state[side == Side::right && has(Side::left, c.shape) ? 3 : 1];
    }

    const Refresh refresh_;

private:
    template <class T>
    void applyIn(const Context<T>&, const T* m, T* out) const;

    const bool vectorsHaveOneSide_;
    const std::optional<Index> largest_;
};

/// Shampoo: L <- b L + (1 - b) G G', R likewise with G'G, or sums where b = 1, and P(M) = L^-1/4 M R^-1/4, of
/// a vector L^-1/2 m, as of a matrix of which one side is too long (arXiv 1802.09568; averages debiased and
/// eps added before the root, as in arXiv 2309.06497).
class KroneckerRoots final : public KroneckerFactors {
public:
    KroneckerRoots(Value beta, Value eps, Refresh refresh, std::optional<Index> largest = std::nullopt)
        : KroneckerFactors(refresh, true, largest), beta_(beta), eps_(eps) {}
    void observe(const Context<float>& c, const float* g, const float*) const override { observeIn(c, g); }
    void observe(const Context<double>& c, const double* g, const double*) const override { observeIn(c, g); }
    /// A hundred thousand steps of this size fit.
    double ownLargestMagnitude(Shape, Dtype) const override;

private:
    template <class T>
    void observeIn(const Context<T>&, const T* g) const;

    Value beta_, eps_;
};

/// K-FAC (arXiv 1503.05671): debiased averages A of a a' over the activations and C of d d' over the deltas,
/// P(M) = (C + sqrt(damping) / pi I)^-1 M (A + pi sqrt(damping) I)^-1, pi^2 = (tr A / n) / (tr C / m); pi is
/// one beside a side that is too long.
class KroneckerInverses final : public KroneckerFactors {
public:
    KroneckerInverses(Value beta, Value damping, Refresh refresh, std::optional<Index> largest = std::nullopt)
        : KroneckerFactors(refresh, false, largest), beta_(beta), damping_(damping) {}
    void observe(const Context<float>& c, const float*, const float*) const override { observeIn(c); }
    void observe(const Context<double>& c, const double*, const double*) const override { observeIn(c); }
    Inputs ownReads() const override { return {Input::activations, Input::deltas}; }
    double ownLargestSample(Shape, Dtype) const override;

private:
    template <class T>
    void observeIn(const Context<T>&) const;

    Value beta_, damping_;
};

}  // namespace schattor
