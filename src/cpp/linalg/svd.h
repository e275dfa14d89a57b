#pragma once

#include <span>

#include "base/arena.h"
#include "base/types.h"

namespace schattor {

/// A = 2^exponent left diag(sigma) right, row-major: left m x k, right k x n, k = min(m, n). Always in
/// double: the singular values of a float matrix below its rounding errors are then not noise.
struct Svd {
    double* left = nullptr;
    double* right = nullptr;
    double* sigma = nullptr;
    int exponent = 0;
    int fallbacks = 0;  ///< rungs of the ladder that failed before one succeeded
};

/// Thin SVD of a finite, non-zero matrix; the arrays of the result live in `arena`. The matrix is
/// scaled by a power of two first. Climbs down a ladder until a rung succeeds: gesdd, gesvd, and
/// one-sided Jacobi, which always does.
template <class T>
Svd thinSvd(Shape shape, const T* a, Arena& arena);

/// Singular values only, by the same ladder; left and right stay null.
template <class T>
Svd singularValues(Shape shape, const T* a, Arena& arena);

/// Raises std::invalid_argument for a shape whose workspace LAPACK's integers cannot count.
void checkSvdShape(Shape shape);

namespace detail {

/// One rung: fills the arrays of `svd` from the scaled matrix, which it may destroy; false when it did not
/// converge.
using SvdRung = bool (*)(Shape shape, double* scaled, Svd& svd, Arena& arena);

template <class T>
Svd climb(Shape shape, const T* a, std::span<const SvdRung> ladder, Arena& arena);

std::span<const SvdRung> ladder();

}  // namespace detail
}  // namespace schattor
