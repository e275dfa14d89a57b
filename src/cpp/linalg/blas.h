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

/// The triangle `uplo` of C = alpha A A' + beta C (trans 'N') or alpha A' A + beta C (trans 'T'); C is n x n.
template <class T>
void syrk(char uplo, char trans, Index n, Index k, T alpha, const T* a, Index lda, T beta, T* c, Index ldc);

/// C = alpha A B + beta C (side 'L') or alpha B A + beta C (side 'R'), with A symmetric in its triangle
/// `uplo` and C m x n.
template <class T>
void symm(char side, char uplo, Index m, Index n, T alpha, const T* a, Index lda, const T* b, Index ldb,
          T beta, T* c, Index ldc);

/// The triangle `uplo` of C = alpha op(A) op(B) + beta C, for a product that is symmetric; C is n x n. Uses
/// gemm on column panels where the BLAS has no gemmt.
template <class T>
void gemmt(char uplo, char transA, char transB, Index n, Index k, T alpha, const T* a, Index lda, const T* b,
           Index ldb, T beta, T* c, Index ldc);

/// B = alpha op(A) B (side 'L') or alpha B op(A) (side 'R'), A triangular; B is m x n.
template <class T>
void trmm(char side, char uplo, char trans, char diag, Index m, Index n, T alpha, const T* a, Index lda, T* b,
          Index ldb);

/// Solves op(A) X = alpha B (side 'L') or X op(A) = alpha B (side 'R') in place, A triangular; B is m x n.
template <class T>
void trsm(char side, char uplo, char trans, char diag, Index m, Index n, T alpha, const T* a, Index lda, T* b,
          Index ldb);

/// Cholesky factor in the triangle `uplo`. Returns LAPACK's info: positive when A is not positive definite.
template <class T>
int potrf(char uplo, Index n, T* a, Index lda);

/// QR factorisation: R in the upper triangle, reflectors below, their factors in tau. Returns LAPACK's info.
template <class T>
int geqrf(Index m, Index n, T* a, Index lda, T* tau, T* work, Index lwork);

/// The first n columns of Q, m x n, in place of the reflectors of geqrf. Returns LAPACK's info.
template <class T>
int orgqr(Index m, Index n, T* a, Index lda, const T* tau, T* work, Index lwork);

/// C = op(Q) C (side 'L') or C op(Q) (side 'R') with the k reflectors of geqrf. Returns LAPACK's info.
template <class T>
int ormqr(char side, char trans, Index m, Index n, Index k, const T* a, Index lda, const T* tau, T* c,
          Index ldc, T* work, Index lwork);

/// Eigenvalues, ascending, and eigenvectors, in place, of the symmetric A by divide and conquer. Returns
/// LAPACK's info.
int syevd(char uplo, Index n, double* a, Index lda, double* w, double* work, Index lwork, int* iwork,
          Index liwork);

/// Thin SVD by divide and conquer; destroys A. Returns LAPACK's info.
int gesdd(Index m, Index n, double* a, double* s, double* u, double* vt, double* work, Index lwork,
          int* iwork);

/// Thin SVD by QR iteration; destroys A. Returns LAPACK's info.
int gesvd(Index m, Index n, double* a, double* s, double* u, double* vt, double* work, Index lwork);

/// Singular values only (gesdd without vectors); destroys A. Returns LAPACK's info.
int singularValues(Index m, Index n, double* a, double* s, double* work, Index lwork, int* iwork);

/// y = alpha A x + beta y, with A symmetric in its triangle `uplo`.
void symv(char uplo, Index n, double alpha, const double* a, Index lda, const double* x, double beta,
          double* y);

int threads();
void setThreads(int count);
const char* description();

}  // namespace schattor::blas
