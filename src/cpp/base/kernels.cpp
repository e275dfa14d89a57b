#include "base/kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/clones.h"

namespace schattor::kernels {
namespace {

constexpr Index lanes = 16;

template <class T>
struct Bits;
template <>
struct Bits<float> {
    using Int = std::int32_t;
    static constexpr Int magnitude = 0x7fffffff;
    static constexpr Int infinity = 0x7f800000;
};
template <>
struct Bits<double> {
    using Int = std::int64_t;
    static constexpr Int magnitude = 0x7fffffffffffffff;
    static constexpr Int infinity = 0x7ff0000000000000;
};

// The bits of |x| order as |x| does, with NaN above infinity: one integer maximum finds both the
// largest magnitude and whatever is not finite.
template <class T>
SCHATTOR_INLINE double maxAbsLoop(Index n, const T* x) {
    using Int = typename Bits<T>::Int;
    Int best[lanes] = {};
    Index i = 0;
    for (; i + lanes <= n; i += lanes) {
        for (Index j = 0; j < lanes; ++j) {
            const Int bits = std::bit_cast<Int>(x[i + j]) & Bits<T>::magnitude;
            best[j] = bits > best[j] ? bits : best[j];
        }
    }
    for (; i < n; ++i) {
        const Int bits = std::bit_cast<Int>(x[i]) & Bits<T>::magnitude;
        best[0] = bits > best[0] ? bits : best[0];
    }
    return static_cast<double>(std::bit_cast<T>(*std::max_element(best, best + lanes)));
}

template <class T>
SCHATTOR_INLINE Index countNonFiniteLoop(Index n, const T* x) {
    using Int = typename Bits<T>::Int;
    Index count = 0;
    for (Index i = 0; i < n; ++i)
        count += (std::bit_cast<Int>(x[i]) & Bits<T>::magnitude) >= Bits<T>::infinity;
    return count;
}

SCHATTOR_INLINE double foldLanes(double* sum) {
    for (Index width = lanes / 2; width > 0; width /= 2)
        for (Index j = 0; j < width; ++j) sum[j] += sum[j + width];
    return sum[0];
}

template <class T>
SCHATTOR_INLINE double dotLoop(Index n, const T* x, const T* y) {
    double sum[lanes] = {};
    Index i = 0;
    for (; i + lanes <= n; i += lanes)
        for (Index j = 0; j < lanes; ++j)
            sum[j] += static_cast<double>(x[i + j]) * static_cast<double>(y[i + j]);
    for (; i < n; ++i) sum[0] += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    return foldLanes(sum);
}

template <class T>
SCHATTOR_INLINE double sumOfMagnitudesLoop(Index n, double unit, const T* x) {
    double sum[lanes] = {};
    Index i = 0;
    for (; i + lanes <= n; i += lanes)
        for (Index j = 0; j < lanes; ++j) sum[j] += unit * std::abs(static_cast<double>(x[i + j]));
    for (; i < n; ++i) sum[0] += unit * std::abs(static_cast<double>(x[i]));
    return foldLanes(sum);
}

template <class T>
SCHATTOR_INLINE void negativeSignLoop(Index n, const T* x, T* out) {
    for (Index i = 0; i < n; ++i) out[i] = static_cast<T>(x[i] < T(0)) - static_cast<T>(x[i] > T(0));
}

template <class T>
SCHATTOR_INLINE void scaleLoop(Index n, T a, const T* x, T* out) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) out[i] = a * x[i];
}

template <class T>
SCHATTOR_INLINE void combineLoop(Index n, T a, const T* x, T b, const T* y, T* out) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) out[i] = a * x[i] + b * y[i];
}

template <class T>
SCHATTOR_INLINE void averageSquaresLoop(Index n, T b, T c, const T* g, T* v) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) v[i] = b * v[i] + c * g[i] * g[i];
}

template <class T>
SCHATTOR_INLINE void divideByRootLoop(Index n, T a, const T* m, T c, const T* v, T eps, T* out) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) {
        const T root = std::sqrt(c * v[i]) + eps;
        out[i] = root > T(0) ? a * m[i] / root : T(0);
    }
}

template <class T>
SCHATTOR_INLINE void cautiousDecayLoop(Index n, T keep, T a, const T* d, T* w) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) {
        // Decay agrees with the displacement where w and the displacement differ in sign.
        const T moved = a * d[i];
        const bool agrees = (w[i] > T(0) && moved < T(0)) || (w[i] < T(0) && moved > T(0));
        w[i] = (agrees ? keep : T(1)) * w[i] + moved;
    }
}

}  // namespace

#define SCHATTOR_KERNELS(T)                                                                            \
    SCHATTOR_CLONES double maxAbs(Index n, const T* x) { return maxAbsLoop(n, x); }                    \
    SCHATTOR_CLONES Index countNonFinite(Index n, const T* x) { return countNonFiniteLoop(n, x); }     \
    SCHATTOR_CLONES double dot(Index n, const T* x, const T* y) { return dotLoop(n, x, y); }           \
    SCHATTOR_CLONES double sumOfMagnitudes(Index n, int e, const T* x) {                               \
        return sumOfMagnitudesLoop(n, std::ldexp(1.0, -e), x);                                         \
    }                                                                                                  \
    SCHATTOR_CLONES void negativeSign(Index n, const T* x, T* out) { negativeSignLoop(n, x, out); }    \
    SCHATTOR_CLONES void scale(Index n, double a, const T* x, T* out) {                                \
        scaleLoop(n, static_cast<T>(a), x, out);                                                       \
    }                                                                                                  \
    SCHATTOR_CLONES void combine(Index n, double a, const T* x, double b, const T* y, T* out) {        \
        combineLoop(n, static_cast<T>(a), x, static_cast<T>(b), y, out);                               \
    }                                                                                                  \
    SCHATTOR_CLONES void averageSquares(Index n, double b, const T* g, T* v) {                         \
        averageSquaresLoop(n, static_cast<T>(b), static_cast<T>(1.0 - b), g, v);                       \
    }                                                                                                  \
    SCHATTOR_CLONES void divideByRoot(Index n, double a, const T* m, double c, const T* v, double eps, \
                                      T* out) {                                                        \
        divideByRootLoop(n, static_cast<T>(a), m, static_cast<T>(c), v, static_cast<T>(eps), out);     \
    }                                                                                                  \
    SCHATTOR_CLONES void cautiousDecay(Index n, double keep, double a, const T* d, T* w) {             \
        cautiousDecayLoop(n, static_cast<T>(keep), static_cast<T>(a), d, w);                           \
    }                                                                                                  \
    void scaleByPowerOfTwo(Index n, int e, const T* x, T* out) {                                       \
        /* In two exact factors, as 2^e alone may lie outside the dtype. */                            \
        const T first = std::ldexp(T(1), e / 2);                                                       \
        const T second = std::ldexp(T(1), e - e / 2);                                                  \
        for (Index i = 0; i < n; ++i) out[i] = (x[i] * first) * second;                                \
    }

SCHATTOR_KERNELS(float)
SCHATTOR_KERNELS(double)

}  // namespace schattor::kernels
