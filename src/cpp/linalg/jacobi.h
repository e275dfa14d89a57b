#pragma once

#include "base/types.h"

namespace schattor {

/// SVD of a finite k x n matrix (row-major, k <= n) by one-sided Jacobi rotations of its rows:
/// `a` becomes V' (k x n), `left` U (k x k), `sigma` the singular values, largest first. Slow, but
/// it always ends: the last rung of the SVD ladder. Rows of V' that belong to sigma = 0 are zero.
void jacobiSvd(Index k, Index n, double* a, double* sigma, double* left);

}  // namespace schattor
