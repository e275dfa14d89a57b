#pragma once

#include "base/arena.h"
#include "base/team.h"
#include "linalg/reflectors.h"

namespace schattor {

/// X = Q B P' for a column-major n x k matrix X, n >= k: Q and P products of reflectors, B upper triangular
/// with `width` diagonals above the main one. Nearly all of the work is matrix products, unlike the reduction
/// to a bidiagonal matrix; backward stable like it (Grosser and Lang 1999). A tall X (n >= 1.5 k) is reduced
/// to its triangular factor first (Chan 1982).
template <class T>
class BandReduction {
public:
    BandReduction(Index rows, Index cols, Index width, Arena& arena);

    /// The matrix to reduce, with leading dimension rows(); overwritten.
    T* matrix() { return x_; }
    void reduce(const Team* team);

    Index rows() const { return rows_; }
    Index cols() const { return cols_; }
    Index width() const { return width_; }
    /// B_ij within the band, 0 <= j - i <= width.
    T band(Index i, Index j) const { return core_[i + j * coreLd_]; }

    /// C = Q [M; 0] P', where the upper k x k part of the n x k array C holds M.
    void restore(T* c, Index ldc, const Team* team);

private:
    using Block = reflectors::Block<T>;

    Block block(Index rows, Index width, Index ldv, T* tau);
    Block leftBlock(Index begin, Index width);
    Block rightBlock(Index begin, Index width);
    void triangularize(const Team* team);
    void reduceCore(const Team* team);
    void copyRows(Index begin, const Block& right);
    void writeRows(Index begin, const Block& right);

    Index rows_, cols_, width_;
    bool triangularFirst_;
    Index coreRows_, coreLd_;
    T *x_, *core_, *panel_, *v_, *t_, *work_;
    T *firstTau_, *leftTau_, *rightTau_;
};

}  // namespace schattor
