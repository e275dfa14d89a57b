#include "linalg/blas.h"

#include <algorithm>

#define SCHATTOR_JOIN_(a, b, c) a##b##c
#define SCHATTOR_JOIN(a, b, c) SCHATTOR_JOIN_(a, b, c)
#define F77(name) SCHATTOR_JOIN(SCHATTOR_F77_PREFIX, name, _)

// The trailing std::size_t are the lengths of the character arguments, which gfortran passes last.
#define SCHATTOR_DECLARE_GEMM(T, x)                                                                     \
    void F77(x##gemm)(const char*, const char*, const int*, const int*, const int*, const T*, const T*, \
                      const int*, const T*, const int*, const T*, T*, const int*, std::size_t, std::size_t);

extern "C" {
SCHATTOR_DECLARE_GEMM(float, s)
SCHATTOR_DECLARE_GEMM(double, d)
void F77(dgesdd)(const char*, const int*, const int*, double*, const int*, double*, double*, const int*,
                 double*, const int*, double*, const int*, int*, int*, std::size_t);
void F77(dgesvd)(const char*, const char*, const int*, const int*, double*, const int*, double*, double*,
                 const int*, double*, const int*, double*, const int*, int*, std::size_t, std::size_t);
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

#define SCHATTOR_DEFINE_GEMM(T, x)                                                                    \
    template <>                                                                                       \
    void gemm<T>(char transA, char transB, Index m, Index n, Index k, T alpha, const T* a, Index lda, \
                 const T* b, Index ldb, T beta, T* c, Index ldc) {                                    \
        const int mi = static_cast<int>(m), ni = static_cast<int>(n), ki = static_cast<int>(k);       \
        const int la = ld(lda), lb = ld(ldb), lc = ld(ldc);                                           \
        F77(x##gemm)(&transA, &transB, &mi, &ni, &ki, &alpha, a, &la, b, &lb, &beta, c, &lc, 1, 1);   \
    }
SCHATTOR_DEFINE_GEMM(float, s)
SCHATTOR_DEFINE_GEMM(double, d)

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
