#pragma once

#include "base/types.h"

/// Typed calls of the few BLAS and LAPACK routines in use. Arguments follow LAPACK: column-major,
/// 32-bit integers. A row-major m x n array is the column-major n x m array of its transpose.
namespace schattor::blas {

/// Largest dimension or workspace that a 32-bit BLAS can address.
inline constexpr Index largestInt = 2147483647;

/// C = alpha op(A) op(B) + beta C, with op(A) m x k and op(B) k x n.
template <class T>
void gemm(char transA, char transB, Index m, Index n, Index k, T alpha, const T* a, Index lda, const T* b,
          Index ldb, T beta, T* c, Index ldc);

/// Thin SVD by divide and conquer; destroys A. Returns LAPACK's info.
int gesdd(Index m, Index n, double* a, double* s, double* u, double* vt, double* work, Index lwork,
          int* iwork);

/// Thin SVD by QR iteration; destroys A. Returns LAPACK's info.
int gesvd(Index m, Index n, double* a, double* s, double* u, double* vt, double* work, Index lwork);

/// Singular values only (gesdd without vectors); destroys A. Returns LAPACK's info.
int singularValues(Index m, Index n, double* a, double* s, double* work, Index lwork, int* iwork);

int threads();
void setThreads(int count);
const char* description();

}  // namespace schattor::blas
