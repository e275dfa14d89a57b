#pragma once

#include "base/arena.h"
#include "base/team.h"
#include "linalg/rational.h"

namespace schattor {

/// F = f(T) for T = B B' / scale, with an upper band matrix B: T is block tridiagonal, symmetric and positive
/// semidefinite. In double, and without eigenvectors: f is a sum of partial fractions, and each (T + t)^-1
/// follows from one block elimination by multiplying small blocks down its columns.
class BandFunction {
public:
    /// `size` is the order of B; `width`, its number of diagonals above the main one, is 4, 8, 16 or 32.
    BandFunction(Index size, Index width, Arena& arena);

    /// Takes B over, band(i, j) with 0 <= j - i <= width, and scales by a bound of the largest eigenvalue.
    template <class Band>
    void setBand(const Band& band) {
        clearBand();
        for (Index j = 0; j < size_; ++j)
            for (Index i = j < width_ ? 0 : j - width_; i <= j; ++i)
                entry(i, j) = static_cast<double>(band(i, j));
        assemble();
    }
    double scale() const { return scale_; }

    /// An estimate of the largest eigenvalue from below, by power iteration: as a rule within a few percent.
    double largest();
    /// tr T
    double traceOfMatrix() const;

    /// Number of eigenvalues of T below x, by the negative pivots of T - x (Sylvester). Zero is a certificate
    /// up to rounding errors: the elimination was then a Cholesky factorisation.
    Index countBelow(double x);

    /// Finds the eigenvectors of the eigenvalues below `bound`, about `count` of them, by inverse iteration,
    /// for evaluate to leave out: these count as zero. False when they are too many or do not settle.
    static constexpr Index mostDropped = 8;
    bool drop(Index count, double bound);

    /// F = r(T) on the eigenvectors that are kept.
    void evaluate(const RationalPower& r, const Team* team);
    /// tr(T F)
    double trace() const;
    /// tr F
    double traceOfFunction() const;
    /// out = factor F B, rounded. Returns ||F B||_F^2.
    template <class T>
    double multiplyBand(double factor, T* out, Index ldOut, const Team* team);

private:
    // Entry of B, in the column block of j: the block above, then the diagonal one.
    double& entry(Index i, Index j) {
        const Index J = j / width_;
        return stack_[(J * width_ + j % width_) * 2 * width_ + (i - (J - 1) * width_)];
    }
    void clearBand();
    void assemble();
    void solve(Index columns, double* z) const;
    void apply(Index columns, const double* z, double* out) const;
    void projectOut();

    static constexpr Index group = 8;  ///< poles at a time
    static constexpr Index lanes = 8;  ///< columns of blocks at a time in multiplyBand

    Index size_, width_, blocks_, padded_;
    double scale_ = 1.0;
    double* stack_;     ///< B by columns of blocks, each 2 width x width
    double* diagonal_;  ///< T_JJ
    double* below_;     ///< T_{J+1,J}
    double* ratios_;    ///< S_J = -Delta_{J+1}^-1 T_{J+1,J} for each pole of the group
    double* inverses_;  ///< Delta_J^-1, then (T + t)^-1_JJ
    double* f_;
    double* lanes_;
    double* dropped_;  ///< orthonormal columns
    Index droppedCount_ = 0;
};

}  // namespace schattor
