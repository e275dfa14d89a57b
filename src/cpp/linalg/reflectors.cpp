#include "linalg/reflectors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/clones.h"
#include "linalg/blas.h"

namespace schattor::reflectors {
namespace {

// Sums run over fixed lanes, in an order that depends on the length alone.
constexpr Index lanes = 16;
// Trailing columns that one reflector updates at a time.
constexpr Index together = 4;
// Columns or rows of one piece of work.
constexpr Index pieceSize = 192;

template <class T>
SCHATTOR_INLINE T fold(T* sum) {
    for (Index half = lanes / 2; half > 0; half /= 2)
        for (Index j = 0; j < half; ++j) sum[j] += sum[j + half];
    return sum[0];
}

template <class T>
SCHATTOR_INLINE T sumOfSquares(Index n, const T* x) {
    T sum[lanes] = {};
    Index i = 0;
    for (; i + lanes <= n; i += lanes)
        for (Index j = 0; j < lanes; ++j) sum[j] += x[i + j] * x[i + j];
    for (; i < n; ++i) sum[0] += x[i] * x[i];
    return fold(sum);
}

// Columns a_c -= tau (v' a_c) v for `count` columns at once, so that v is read from registers.
template <Index count, class T>
SCHATTOR_INLINE void reflectColumns(Index n, const T* v, T tau, T* a, Index lda) {
    T sum[count][lanes] = {};
    Index i = 0;
    for (; i + lanes <= n; i += lanes)
        for (Index c = 0; c < count; ++c)
            for (Index j = 0; j < lanes; ++j) sum[c][j] += v[i + j] * a[c * lda + i + j];
    for (; i < n; ++i)
        for (Index c = 0; c < count; ++c) sum[c][0] += v[i] * a[c * lda + i];
    T factor[count];
    for (Index c = 0; c < count; ++c) factor[c] = tau * fold(sum[c]);
    i = 0;
    for (; i + lanes <= n; i += lanes)
        for (Index c = 0; c < count; ++c)
            for (Index j = 0; j < lanes; ++j) a[c * lda + i + j] -= factor[c] * v[i + j];
    for (; i < n; ++i)
        for (Index c = 0; c < count; ++c) a[c * lda + i] -= factor[c] * v[i];
}

// The reflector that maps x to (beta, 0, ..., 0): writes its vector, with a leading 1, to v and below x_0.
template <class T>
SCHATTOR_INLINE T makeReflector(Index n, T* x, T* v) {
    const T tail = sumOfSquares(n - 1, x + 1);
    v[0] = T(1);
    // Squares that lose digits by underflow would make a reflector that is not orthogonal; what they belong
    // to is far below the rounding errors of the matrix, whose largest entry is near one.
    if (tail < std::numeric_limits<T>::min() /
                   (std::numeric_limits<T>::epsilon() * std::numeric_limits<T>::epsilon())) {
        std::fill(x + 1, x + n, T(0));
        std::fill(v + 1, v + n, T(0));
        return T(0);
    }
    const T norm = std::sqrt(x[0] * x[0] + tail);
    const T beta = x[0] >= T(0) ? -norm : norm;
    const T tau = (beta - x[0]) / beta;
    const T inverse = T(1) / (x[0] - beta);
    for (Index i = 1; i < n; ++i) v[i] = x[i] *= inverse;
    x[0] = beta;
    return tau;
}

template <class T>
SCHATTOR_INLINE void factorColumns(T* p, Index ldp, const Block<T>& b) {
    const Index reflections = std::min(b.rows, b.width);
    for (Index j = 0; j < b.width; ++j)
        std::fill(b.v + j * b.ldv, b.v + j * b.ldv + (j < reflections ? j : b.rows), T(0));
    for (Index j = 0; j < reflections; ++j) {
        T* v = b.v + j * b.ldv + j;
        const Index n = b.rows - j;
        b.tau[j] = makeReflector(n, p + j * ldp + j, v);
        Index c = j + 1;
        for (; c + together <= b.width; c += together)
            reflectColumns<together>(n, v, b.tau[j], p + c * ldp + j, ldp);
        for (; c < b.width; ++c) reflectColumns<1>(n, v, b.tau[j], p + c * ldp + j, ldp);
    }
}

SCHATTOR_CLONES void factorPanel(float* p, Index ldp, const Block<float>& b) { factorColumns(p, ldp, b); }
SCHATTOR_CLONES void factorPanel(double* p, Index ldp, const Block<double>& b) { factorColumns(p, ldp, b); }

// T from V and tau, column by column: T_j = -tau_j T (V' v_j).
template <class T>
void formTriangle(const Block<T>& b) {
    std::array<T, static_cast<std::size_t>(widest * widest)> inner;
    blas::gemm<T>('T', 'N', b.width, b.width, b.rows, T(1), b.v, b.ldv, b.v, b.ldv, T(0), inner.data(),
                  widest);
    for (Index j = 0; j < b.width; ++j) {
        for (Index i = 0; i < j; ++i) {
            T sum = T(0);
            for (Index l = i; l < j; ++l)
                sum += b.t[l * widest + i] * inner[static_cast<std::size_t>(j * widest + l)];
            b.t[j * widest + i] = -b.tau[j] * sum;
        }
        b.t[j * widest + j] = b.tau[j];
    }
}

// The pieces [first, first + size) of n columns or rows.
Index pieces(Index n) { return std::max<Index>(1, n / pieceSize); }
Index firstOf(Index n, Index piece) { return n * piece / pieces(n); }

}  // namespace

template <class T>
void factor(T* p, Index ldp, const Block<T>& b) {
    std::fill(b.tau, b.tau + b.width, T(0));
    factorPanel(p, ldp, b);
    formTriangle(b);
}

template <class T>
void unpack(const T* p, Index ldp, const Block<T>& b) {
    for (Index j = 0; j < b.width; ++j) {
        T* v = b.v + j * b.ldv;
        std::fill(v, v + std::min(j, b.rows), T(0));
        if (j >= b.rows) continue;
        v[j] = T(1);
        std::copy(p + j * ldp + j + 1, p + j * ldp + b.rows, v + j + 1);
    }
    formTriangle(b);
}

template <class T>
void applyLeft(const Block<T>& b, bool transposed, Index cols, T* c, Index ldc, T* work, const Team* team) {
    if (cols <= 0) return;
    Team::each(team, pieces(cols), [&](Index piece) {
        const Index first = firstOf(cols, piece), n = firstOf(cols, piece + 1) - first;
        T* part = c + first * ldc;
        T* w = work + first * b.width;
        blas::gemm<T>('T', 'N', b.width, n, b.rows, T(1), b.v, b.ldv, part, ldc, T(0), w, b.width);
        blas::trmm<T>('L', 'U', transposed ? 'T' : 'N', 'N', b.width, n, T(1), b.t, widest, w, b.width);
        blas::gemm<T>('N', 'N', b.rows, n, b.width, T(-1), b.v, b.ldv, w, b.width, T(1), part, ldc);
    });
}

template <class T>
void applyRight(const Block<T>& b, bool transposed, Index rows, T* c, Index ldc, T* work, const Team* team) {
    if (rows <= 0) return;
    Team::each(team, pieces(rows), [&](Index piece) {
        const Index first = firstOf(rows, piece), n = firstOf(rows, piece + 1) - first;
        T* part = c + first;
        T* w = work + first * b.width;
        blas::gemm<T>('N', 'N', n, b.width, b.rows, T(1), part, ldc, b.v, b.ldv, T(0), w, n);
        blas::trmm<T>('R', 'U', transposed ? 'T' : 'N', 'N', n, b.width, T(1), b.t, widest, w, n);
        blas::gemm<T>('N', 'T', n, b.rows, b.width, T(-1), w, n, b.v, b.ldv, T(1), part, ldc);
    });
}

#define SCHATTOR_INSTANTIATE(T)                                                           \
    template void factor<T>(T*, Index, const Block<T>&);                                  \
    template void unpack<T>(const T*, Index, const Block<T>&);                            \
    template void applyLeft<T>(const Block<T>&, bool, Index, T*, Index, T*, const Team*); \
    template void applyRight<T>(const Block<T>&, bool, Index, T*, Index, T*, const Team*);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)

}  // namespace schattor::reflectors
