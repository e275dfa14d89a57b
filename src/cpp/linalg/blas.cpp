#include "linalg/blas.h"

#include <algorithm>

#define SCHATTOR_JOIN_(a, b, c) a##b##c
#define SCHATTOR_JOIN(a, b, c) SCHATTOR_JOIN_(a, b, c)
#define F77(name) SCHATTOR_JOIN(SCHATTOR_F77_PREFIX, name, _)

// The trailing std::size_t are the lengths of the character arguments, which gfortran passes last.
#define SCHATTOR_DECLARE(T, x)                                                                               \
    void F77(x##gemm)(const char*, const char*, const int*, const int*, const int*, const T*, const T*,      \
                      const int*, const T*, const int*, const T*, T*, const int*, std::size_t, std::size_t); \
    void F77(x##syrk)(const char*, const char*, const int*, const int*, const T*, const T*, const int*,      \
                      const T*, T*, const int*, std::size_t, std::size_t);                                   \
    void F77(x##symm)(const char*, const char*, const int*, const int*, const T*, const T*, const int*,      \
                      const T*, const int*, const T*, T*, const int*, std::size_t, std::size_t);             \
    void F77(x##gemmt)(const char*, const char*, const char*, const int*, const int*, const T*, const T*,    \
                       const int*, const T*, const int*, const T*, T*, const int*, std::size_t, std::size_t, \
                       std::size_t);                                                                         \
    void F77(x##trmm)(const char*, const char*, const char*, const char*, const int*, const int*, const T*,  \
                      const T*, const int*, T*, const int*, std::size_t, std::size_t, std::size_t,           \
                      std::size_t);                                                                          \
    void F77(x##trsm)(const char*, const char*, const char*, const char*, const int*, const int*, const T*,  \
                      const T*, const int*, T*, const int*, std::size_t, std::size_t, std::size_t,           \
                      std::size_t);                                                                          \
    void F77(x##potrf)(const char*, const int*, T*, const int*, int*, std::size_t);                          \
    void F77(x##geqrf)(const int*, const int*, T*, const int*, T*, T*, const int*, int*);                    \
    void F77(x##orgqr)(const int*, const int*, const int*, T*, const int*, const T*, T*, const int*, int*);  \
    void F77(x##ormqr)(const char*, const char*, const int*, const int*, const int*, const T*, const int*,   \
                       const T*, T*, const int*, T*, const int*, int*, std::size_t, std::size_t);

extern "C" {
SCHATTOR_DECLARE(float, s)
SCHATTOR_DECLARE(double, d)
void F77(dsyevd)(const char*, const char*, const int*, double*, const int*, double*, double*, const int*,
                 int*, const int*, int*, std::size_t, std::size_t);
void F77(dgesdd)(const char*, const int*, const int*, double*, const int*, double*, double*, const int*,
                 double*, const int*, double*, const int*, int*, int*, std::size_t);
void F77(dgesvd)(const char*, const char*, const int*, const int*, double*, const int*, double*, double*,
                 const int*, double*, const int*, double*, const int*, int*, std::size_t, std::size_t);
void F77(dsymv)(const char*, const int*, const double*, const double*, const int*, const double*, const int*,
                const double*, double*, const int*, std::size_t);
#ifdef SCHATTOR_HAVE_OPENBLAS
int SCHATTOR_JOIN(SCHATTOR_F77_PREFIX, openblas_get_num_threads, )(void);
void SCHATTOR_JOIN(SCHATTOR_F77_PREFIX, openblas_set_num_threads, )(int);
char* SCHATTOR_JOIN(SCHATTOR_F77_PREFIX, openblas_get_config, )(void);
#endif
}

namespace schattor::blas {
namespace {

// LAPACK wants positive leading dimensions even for empty operands.
int ld(Index n) { return static_cast<int>(std::max<Index>(1, n)); }
int narrow(Index n) { return static_cast<int>(n); }

}  // namespace

#define SCHATTOR_DEFINE(T, x)                                                                               \
    template <>                                                                                             \
    void gemm<T>(char transA, char transB, Index m, Index n, Index k, T alpha, const T* a, Index lda,       \
                 const T* b, Index ldb, T beta, T* c, Index ldc) {                                          \
        const int mi = narrow(m), ni = narrow(n), ki = narrow(k), la = ld(lda), lb = ld(ldb), lc = ld(ldc); \
        F77(x##gemm)(&transA, &transB, &mi, &ni, &ki, &alpha, a, &la, b, &lb, &beta, c, &lc, 1, 1);         \
    }                                                                                                       \
    template <>                                                                                             \
    void syrk<T>(char uplo, char trans, Index n, Index k, T alpha, const T* a, Index lda, T beta, T* c,     \
                 Index ldc) {                                                                               \
        const int ni = narrow(n), ki = narrow(k), la = ld(lda), lc = ld(ldc);                               \
        F77(x##syrk)(&uplo, &trans, &ni, &ki, &alpha, a, &la, &beta, c, &lc, 1, 1);                         \
    }                                                                                                       \
    template <>                                                                                             \
    void symm<T>(char side, char uplo, Index m, Index n, T alpha, const T* a, Index lda, const T* b,        \
                 Index ldb, T beta, T* c, Index ldc) {                                                      \
        const int mi = narrow(m), ni = narrow(n), la = ld(lda), lb = ld(ldb), lc = ld(ldc);                 \
        F77(x##symm)(&side, &uplo, &mi, &ni, &alpha, a, &la, b, &lb, &beta, c, &lc, 1, 1);                  \
    }                                                                                                       \
    template <>                                                                                             \
    void trmm<T>(char side, char uplo, char trans, char diag, Index m, Index n, T alpha, const T* a,        \
                 Index lda, T* b, Index ldb) {                                                              \
        const int mi = narrow(m), ni = narrow(n), la = ld(lda), lb = ld(ldb);                               \
        F77(x##trmm)(&side, &uplo, &trans, &diag, &mi, &ni, &alpha, a, &la, b, &lb, 1, 1, 1, 1);            \
    }                                                                                                       \
    template <>                                                                                             \
    void trsm<T>(char side, char uplo, char trans, char diag, Index m, Index n, T alpha, const T* a,        \
                 Index lda, T* b, Index ldb) {                                                              \
        const int mi = narrow(m), ni = narrow(n), la = ld(lda), lb = ld(ldb);                               \
        F77(x##trsm)(&side, &uplo, &trans, &diag, &mi, &ni, &alpha, a, &la, b, &lb, 1, 1, 1, 1);            \
    }                                                                                                       \
    template <>                                                                                             \
    int potrf<T>(char uplo, Index n, T* a, Index lda) {                                                     \
        const int ni = narrow(n), la = ld(lda);                                                             \
        int info = 0;                                                                                       \
        F77(x##potrf)(&uplo, &ni, a, &la, &info, 1);                                                        \
        return info;                                                                                        \
    }                                                                                                       \
    template <>                                                                                             \
    int geqrf<T>(Index m, Index n, T * a, Index lda, T * tau, T * work, Index lwork) {                      \
        const int mi = narrow(m), ni = narrow(n), la = ld(lda), lw = narrow(lwork);                         \
        int info = 0;                                                                                       \
        F77(x##geqrf)(&mi, &ni, a, &la, tau, work, &lw, &info);                                             \
        return info;                                                                                        \
    }                                                                                                       \
    template <>                                                                                             \
    int orgqr<T>(Index m, Index n, T * a, Index lda, const T* tau, T* work, Index lwork) {                  \
        const int mi = narrow(m), ni = narrow(n), la = ld(lda), lw = narrow(lwork);                         \
        int info = 0;                                                                                       \
        F77(x##orgqr)(&mi, &ni, &ni, a, &la, tau, work, &lw, &info);                                        \
        return info;                                                                                        \
    }                                                                                                       \
    template <>                                                                                             \
    int ormqr<T>(char side, char trans, Index m, Index n, Index k, const T* a, Index lda, const T* tau,     \
                 T* c, Index ldc, T* work, Index lwork) {                                                   \
        const int mi = narrow(m), ni = narrow(n), ki = narrow(k), la = ld(lda), lc = ld(ldc);               \
        const int lw = narrow(lwork);                                                                       \
        int info = 0;                                                                                       \
        F77(x##ormqr)(&side, &trans, &mi, &ni, &ki, a, &la, tau, c, &lc, work, &lw, &info, 1, 1);           \
        return info;                                                                                        \
    }
SCHATTOR_DEFINE(float, s)
SCHATTOR_DEFINE(double, d)

#ifdef SCHATTOR_HAVE_GEMMT
#define SCHATTOR_DEFINE_GEMMT(T, x)                                                                       \
    template <>                                                                                           \
    void gemmt<T>(char uplo, char transA, char transB, Index n, Index k, T alpha, const T* a, Index lda,  \
                  const T* b, Index ldb, T beta, T* c, Index ldc) {                                       \
        const int ni = narrow(n), ki = narrow(k), la = ld(lda), lb = ld(ldb), lc = ld(ldc);               \
        F77(x##gemmt)(&uplo, &transA, &transB, &ni, &ki, &alpha, a, &la, b, &lb, &beta, c, &lc, 1, 1, 1); \
    }
SCHATTOR_DEFINE_GEMMT(float, s)
SCHATTOR_DEFINE_GEMMT(double, d)
#else
template <class T>
void gemmt(char uplo, char transA, char transB, Index n, Index k, T alpha, const T* a, Index lda, const T* b,
           Index ldb, T beta, T* c, Index ldc) {
    constexpr Index panel = 64;
    for (Index j = 0; j < n; j += panel) {
        const Index width = std::min(panel, n - j);
        const Index first = uplo == 'U' ? 0 : j, last = uplo == 'U' ? j + width : n;
        gemm<T>(transA, transB, last - first, width, k, alpha, a + (transA == 'N' ? first : first * lda), lda,
                b + (transB == 'N' ? j * ldb : j), ldb, beta, c + first + j * ldc, ldc);
    }
}
template void gemmt<float>(char, char, char, Index, Index, float, const float*, Index, const float*, Index,
                           float, float*, Index);
template void gemmt<double>(char, char, char, Index, Index, double, const double*, Index, const double*,
                            Index, double, double*, Index);
#endif

int syevd(char uplo, Index n, double* a, Index lda, double* w, double* work, Index lwork, int* iwork,
          Index liwork) {
    const int ni = narrow(n), la = ld(lda), lw = narrow(lwork), li = narrow(liwork);
    int info = 0;
    F77(dsyevd)("V", &uplo, &ni, a, &la, w, work, &lw, iwork, &li, &info, 1, 1);
    return info;
}

namespace {

// gesdd with the job "S" (thin vectors) or "N" (values only).
int runGesdd(const char* job, Index m, Index n, double* a, double* s, double* u, double* vt, double* work,
             Index lwork, int* iwork) {
    const int mi = static_cast<int>(m), ni = static_cast<int>(n), lw = static_cast<int>(lwork);
    const int lm = ld(m), lk = ld(std::min(m, n));
    int info = 0;
    F77(dgesdd)(job, &mi, &ni, a, &lm, s, u, &lm, vt, &lk, work, &lw, iwork, &info, 1);
    return info;
}

}  // namespace

int gesdd(Index m, Index n, double* a, double* s, double* u, double* vt, double* work, Index lwork,
          int* iwork) {
    return runGesdd("S", m, n, a, s, u, vt, work, lwork, iwork);
}

int singularValues(Index m, Index n, double* a, double* s, double* work, Index lwork, int* iwork) {
    return runGesdd("N", m, n, a, s, nullptr, nullptr, work, lwork, iwork);
}

int gesvd(Index m, Index n, double* a, double* s, double* u, double* vt, double* work, Index lwork) {
    const int mi = static_cast<int>(m), ni = static_cast<int>(n), lw = static_cast<int>(lwork);
    const int lm = ld(m), lk = ld(std::min(m, n));
    int info = 0;
    F77(dgesvd)("S", "S", &mi, &ni, a, &lm, s, u, &lm, vt, &lk, work, &lw, &info, 1, 1);
    return info;
}

void symv(char uplo, Index n, double alpha, const double* a, Index lda, const double* x, double beta,
          double* y) {
    const int ni = narrow(n), la = ld(lda), one = 1;
    F77(dsymv)(&uplo, &ni, &alpha, a, &la, x, &one, &beta, y, &one, 1);
}

#ifdef SCHATTOR_HAVE_OPENBLAS
int threads() { return SCHATTOR_JOIN(SCHATTOR_F77_PREFIX, openblas_get_num_threads, )(); }
void setThreads(int count) { SCHATTOR_JOIN(SCHATTOR_F77_PREFIX, openblas_set_num_threads, )(count); }
const char* description() { return SCHATTOR_JOIN(SCHATTOR_F77_PREFIX, openblas_get_config, )(); }
#else
int threads() { return 1; }
void setThreads(int) {}
const char* description() { return "system BLAS"; }
#endif

}  // namespace schattor::blas
