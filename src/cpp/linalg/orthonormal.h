#pragma once

#include "base/arena.h"
#include "base/types.h"

namespace schattor {

/// Replaces the column-major m x n matrix A, m >= n, by an orthonormal basis Q of its columns' span: A = Q R
/// by Householder reflectors. Where A is rank-deficient Q has more columns than the span has dimensions.
template <class T>
void orthonormalize(Index m, Index n, T* a, Arena& arena);

}  // namespace schattor
