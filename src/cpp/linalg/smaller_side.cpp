#include "linalg/smaller_side.h"

#include "linalg/blas.h"

namespace schattor::smaller_side {

// The BLAS sees the transposes of the row-major arrays.
template <class T>
void cross(Shape s, const T* x, const T* y, T* out) {
    const Index m = s.rows, n = s.cols;
    if (m >= n)
        blas::gemm<T>('N', 'T', n, n, m, T(1), y, n, x, n, T(0), out, n);
    else
        blas::gemm<T>('T', 'N', m, m, n, T(1), y, n, x, n, T(0), out, m);
}

template <class T>
void apply(Shape s, T alpha, const T* x, const T* q, T beta, T* out) {
    const Index m = s.rows, n = s.cols;
    if (m >= n)
        blas::gemm<T>('N', 'N', n, m, n, alpha, q, n, x, n, beta, out, n);
    else
        blas::gemm<T>('N', 'T', n, m, m, alpha, x, n, q, m, beta, out, n);
}

#define SCHATTOR_INSTANTIATE(T)                            \
    template void cross<T>(Shape, const T*, const T*, T*); \
    template void apply<T>(Shape, T, const T*, const T*, T, T*);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)

}  // namespace schattor::smaller_side
