#include "linalg/blas.h"

#include <algorithm>

#define SCHATTOR_JOIN_(a, b, c) a##b##c
#define SCHATTOR_JOIN(a, b, c) SCHATTOR_JOIN_(a, b, c)
#define F77(name) SCHATTOR_JOIN(SCHATTOR_F77_PREFIX, name, _)

// The trailing std::size_t are the lengths of the character arguments, which gfortran passes last.
#define SCHATTOR_DECLARE(T, x)                                                                               \
    void F77(x##gemm)(const char*, const char*, const int*, const int*, const int*, const T*, const T*,      \
                      const int*, const T*, const int*, const T*, T*, const int*, std::size_t, std::size_t); \
    void F77(x##gesdd)(const char*, const int*, const int*, T*, const int*, T*, T*, const int*, T*,          \
                       const int*, T*, const int*, int*, int*, std::size_t);                                 \
    void F77(x##gesvd)(const char*, const char*, const int*, const int*, T*, const int*, T*, T*, const int*, \
                       T*, const int*, T*, const int*, int*, std::size_t, std::size_t);

extern "C" {
SCHATTOR_DECLARE(float, s)
SCHATTOR_DECLARE(double, d)
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

}  // namespace

#define SCHATTOR_DEFINE(T, x)                                                                            \
    template <>                                                                                          \
    void gemm<T>(char transA, char transB, Index m, Index n, Index k, T alpha, const T* a, Index lda,    \
                 const T* b, Index ldb, T beta, T* c, Index ldc) {                                       \
        const int mi = static_cast<int>(m), ni = static_cast<int>(n), ki = static_cast<int>(k);          \
        const int la = ld(lda), lb = ld(ldb), lc = ld(ldc);                                              \
        F77(x##gemm)(&transA, &transB, &mi, &ni, &ki, &alpha, a, &la, b, &lb, &beta, c, &lc, 1, 1);      \
    }                                                                                                    \
    template <>                                                                                          \
    int gesdd<T>(Index m, Index n, T * a, T * s, T * u, T * vt, T * work, Index lwork, int* iwork) {     \
        const int mi = static_cast<int>(m), ni = static_cast<int>(n);                                    \
        const int lm = ld(m), lk = ld(std::min(m, n)), lw = static_cast<int>(lwork);                     \
        int info = 0;                                                                                    \
        F77(x##gesdd)("S", &mi, &ni, a, &lm, s, u, &lm, vt, &lk, work, &lw, iwork, &info, 1);            \
        return info;                                                                                     \
    }                                                                                                    \
    template <>                                                                                          \
    int gesvd<T>(Index m, Index n, T * a, T * s, T * u, T * vt, T * work, Index lwork) {                 \
        const int mi = static_cast<int>(m), ni = static_cast<int>(n);                                    \
        const int lm = ld(m), lk = ld(std::min(m, n)), lw = static_cast<int>(lwork);                     \
        int info = 0;                                                                                    \
        F77(x##gesvd)("S", "S", &mi, &ni, a, &lm, s, u, &lm, vt, &lk, work, &lw, &info, 1, 1);           \
        return info;                                                                                     \
    }                                                                                                    \
    template <>                                                                                          \
    int singularValues<T>(Index m, Index n, T * a, T * s, T * work, Index lwork, int* iwork) {           \
        const int mi = static_cast<int>(m), ni = static_cast<int>(n);                                    \
        const int lm = ld(m), lk = ld(std::min(m, n)), lw = static_cast<int>(lwork);                     \
        int info = 0;                                                                                    \
        F77(x##gesdd)("N", &mi, &ni, a, &lm, s, nullptr, &lm, nullptr, &lk, work, &lw, iwork, &info, 1); \
        return info;                                                                                     \
    }

SCHATTOR_DEFINE(float, s)
SCHATTOR_DEFINE(double, d)

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
