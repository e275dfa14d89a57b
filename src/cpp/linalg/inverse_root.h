#pragma once

#include "base/arena.h"
#include "base/types.h"

namespace schattor {

/// A = 2^exponent sum_i values_i v_i v_i', with the unit vectors v_i in the rows of `vectors`. Always in
/// double.
struct SymmetricEigen {
    double* vectors = nullptr;
    double* values = nullptr;  ///< ascending
    int exponent = 0;
};

/// Eigenvalues and vectors of a finite symmetric positive semidefinite k x k matrix, of which the lower
/// triangle (column-major) is read. It is scaled by a power of two first. The arrays live in `arena`.
template <class T>
SymmetricEigen symmetricEigen(Index k, const T* a, Arena& arena);

/// out = (factor A + eps I)^-exponent in full, for a positive semidefinite A. What is below the rounding
/// errors of A, k eps(T) lambda_1, counts as that much; at eps = 0 as zero, so that the result is a
/// pseudo-inverse. So does a matrix below the smallest normal number. An eps whose power is above
/// 1 / sqrt(smallestNormal(T)) counts as zero: the powers of two zero matrices on the sides of a third one
/// must fit into T together.
template <class T>
void inverseRoot(Index k, const T* a, double factor, double eps, double exponent, T* out, Arena& arena);

}  // namespace schattor
