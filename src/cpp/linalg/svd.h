#pragma once

#include <span>

#include "base/arena.h"
#include "base/types.h"

namespace schattor {

/// A = 2^exponent left diag(sigma) right, row-major: left m x k, right k x n, k = min(m, n).
template <class T>
struct Svd {
    T* left = nullptr;
    T* right = nullptr;
    T* sigma = nullptr;
    int exponent = 0;
    int fallbacks = 0;  ///< rungs of the ladder that failed before one succeeded
};

/// Thin SVD of a finite, non-zero matrix; the arrays of the result live in `arena`. The matrix is
/// scaled by a power of two first. Climbs down a ladder until a rung succeeds: gesdd, gesvd, gesdd
/// in double, and one-sided Jacobi, which always does.
template <class T>
Svd<T> thinSvd(Shape shape, const T* a, Arena& arena);

/// Singular values only, by the same ladder; left and right stay null.
template <class T>
Svd<T> singularValues(Shape shape, const T* a, Arena& arena);

/// Arena bytes that thinSvd takes; the last rungs, which are hardly ever reached, allocate theirs.
template <class T>
std::size_t svdScratch(Shape shape);

/// Raises std::invalid_argument for a shape whose workspace LAPACK's integers cannot count.
void checkSvdShape(Shape shape);

namespace detail {

/// One rung: fills the arrays of `result` for 2^-exponent A; false when it did not converge.
template <class T>
using SvdRung = bool (*)(Shape shape, const T* a, Svd<T>& result, Arena& arena);

template <class T>
Svd<T> climb(Shape shape, const T* a, std::span<const SvdRung<T>> ladder, Arena& arena);

template <class T>
std::span<const SvdRung<T>> ladder();

}  // namespace detail
}  // namespace schattor
