#pragma once

#include "base/arena.h"
#include "base/rng.h"
#include "base/types.h"

namespace schattor {

/// A symmetric positive semidefinite matrix that is known by its products.
class SymmetricOperator {
public:
    virtual ~SymmetricOperator() = default;
    /// y = B x for `count` vectors that lie one after the other.
    virtual void apply(Index count, const double* x, double* y) const = 0;
};

/// The block Lanczos process with full reorthogonalisation and thick restarts (Golub and Van Loan,
/// section 10.3; Wu and Simon, SIAM J. Matrix Anal. Appl. 22, 2000), for the largest eigenvalues of B.
///
/// It holds an orthonormal basis V, the compression H = V'BV, and pending directions P, orthonormal to V,
/// with BV = VH + PC. Every Ritz vector Vs has the residual ||BVs - theta Vs|| = ||Cs||. Directions from
/// outside may be added to P at any time, so a direction that the process has missed can be put in.
class Lanczos {
public:
    /// Blocks have at most `width` directions, of length n; V and P together at most `capacity`. All arrays
    /// come from `arena`.
    Lanczos(Index n, Index width, Index capacity, Arena& arena);

    /// Adds directions to P, overwriting them. Those that are numerically in the span already are left out.
    void add(Index count, double* x);
    /// Adds random directions to P until it has `count`.
    void fill(Index count, Rng& rng);
    /// Moves P into V, and takes what B makes of it as the new P.
    void expand(const SymmetricOperator& b);
    /// Rayleigh-Ritz: eigenvalues and eigenvectors of H. False when LAPACK failed.
    bool solve();
    /// Keeps the first `kept` Ritz vectors, after solve().
    void restart(Index kept);

    Index size() const { return size_; }
    Index pending() const { return pending_; }
    /// No room for another block: restart first.
    bool full() const { return size_ + 2 * pending_ > capacity_; }
    /// The i-th largest Ritz value, and the norm of its residual, after solve().
    double value(Index i) const { return values_[solved_ - 1 - i]; }
    double residual(Index i) const;
    /// The sum of all Ritz values.
    double trace() const;
    /// Ritz vectors, one after the other, largest value first.
    void vectors(Index first, Index count, double* out) const;

private:
    double* column(Index j) const { return basis_ + j * n_; }
    const double* ritz(Index i) const { return ritz_ + (solved_ - 1 - i) * solved_; }
    bool orthonormalize(Index against, double* x) const;

    Index n_, width_, capacity_;
    Index size_ = 0, pending_ = 0, solved_ = 0;
    Index coupledFrom_ = 0, coupled_ = 0;  ///< the columns of V that C does not map to zero
    double* basis_;                        ///< V, then P
    double* h_;                            ///< H, leading dimension capacity
    double* coupling_;                     ///< C without its zero columns, leading dimension width
    double* ritz_;
    double* values_;
    double* work_;
    int* iwork_;
    Arena& arena_;
};

}  // namespace schattor
