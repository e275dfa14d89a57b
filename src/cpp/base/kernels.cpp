#include "base/kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/clones.h"
#include "base/entries.h"

namespace schattor::kernels {
namespace {

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
    for (Index i = 0; i < n; ++i) out[i] = signOf(-x[i]);  // zero at zero, not -0
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
SCHATTOR_INLINE void extrapolateLoop(Index n, T a, const T* x, const T* y, T* out) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) out[i] = x[i] + a * (x[i] - y[i]);
}

template <class T>
SCHATTOR_INLINE void extrapolateFromLoop(Index n, T a, const T* x, T* y, T* out) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) {
        const T now = x[i];  // out may be x
        out[i] = now + a * (now - y[i]);
        y[i] = now;
    }
}

template <class T>
SCHATTOR_INLINE void averageSquaresLoop(Index n, T b, T add, const T* g, T* v) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) v[i] = averageOfSquares(b, add, g[i], v[i]);
}

template <class T>
SCHATTOR_INLINE void addScaledLoop(Index n, double a, const T* x, double* sum) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) sum[i] += a * static_cast<double>(x[i]);
}

template <class T>
SCHATTOR_INLINE void addProductsLoop(Index n, const T* x, const T* y, double* sum) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) sum[i] += static_cast<double>(x[i]) * static_cast<double>(y[i]);
}

template <class T>
SCHATTOR_INLINE double dotDifferenceLoop(Index n, const T* x, const T* y, const T* z) {
    double sum[lanes] = {};
    const auto term = [=](Index i) {
        return static_cast<double>(x[i]) * (static_cast<double>(y[i]) - static_cast<double>(z[i]));
    };
    Index i = 0;
    for (; i + lanes <= n; i += lanes)
        for (Index j = 0; j < lanes; ++j) sum[j] += term(i + j);
    for (; i < n; ++i) sum[0] += term(i);
    return foldLanes(sum);
}

template <bool each, class T>
SCHATTOR_INLINE void scaleWideLoop(Index n, const double* a, const T* x, T* out) {
    const double first = a[0];
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) out[i] = static_cast<T>((each ? a[i] : first) * static_cast<double>(x[i]));
}

template <bool each, class T>
SCHATTOR_INLINE void combineWideLoop(Index n, const double* a, const T* x, const double* b, const T* y,
                                     T* out) {
    const double ofX = a[0], ofY = b[0];
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i)
        out[i] = static_cast<T>((each ? a[i] : ofX) * static_cast<double>(x[i]) +
                                (each ? b[i] : ofY) * static_cast<double>(y[i]));
}

template <class T>
SCHATTOR_INLINE void averageDeviationsLoop(Index n, T b, T c, const T* g, const T* m, T eps, T* v) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) v[i] = averageOfSquares(b, c, g[i] - m[i], v[i]) + eps;
}

template <class T>
SCHATTOR_INLINE void raiseLoop(Index n, const T* x, T* out) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) out[i] = larger(x[i], out[i]);
}

template <class T>
SCHATTOR_INLINE void varianceLoop(Index n, const T* v, const T* m, T* out) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) {
        const T x = v[i] - m[i] * m[i];
        out[i] = x > T(0) ? x : T(0);
    }
}

template <class T>
SCHATTOR_INLINE void scaleByRootsLoop(Index n, const T* u, const T* v, T eps, const T* m, T* out) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) out[i] = byRoots(u[i], v[i], eps, m[i]);
}

template <class T>
SCHATTOR_INLINE void divideByRootLoop(Index n, T a, const T* m, T c, const T* v, T eps, T* out) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) out[i] = overRoot(a, m[i], c, v[i], eps);
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

template <class T>
SCHATTOR_INLINE void momentumLoop(Index n, const Momentum& x, const T* g, T* m, T* out) {
    const MomentumOf<T> f(x);
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) out[i] = f(g[i], m[i]);
}

}  // namespace

#define SCHATTOR_KERNELS(T)                                                                                 \
    SCHATTOR_CLONES double maxAbs(Index n, const T* x) { return maxAbsLoop(n, x); }                         \
    SCHATTOR_CLONES Index countNonFinite(Index n, const T* x) { return countNonFiniteLoop(n, x); }          \
    SCHATTOR_CLONES double dot(Index n, const T* x, const T* y) { return dotLoop(n, x, y); }                \
    SCHATTOR_CLONES double sumOfMagnitudes(Index n, int e, const T* x) {                                    \
        return sumOfMagnitudesLoop(n, std::ldexp(1.0, -e), x);                                              \
    }                                                                                                       \
    SCHATTOR_CLONES void negativeSign(Index n, const T* x, T* out) { negativeSignLoop(n, x, out); }         \
    SCHATTOR_CLONES void scale(Index n, double a, const T* x, T* out) {                                     \
        scaleLoop(n, static_cast<T>(a), x, out);                                                            \
    }                                                                                                       \
    SCHATTOR_CLONES void combine(Index n, double a, const T* x, double b, const T* y, T* out) {             \
        combineLoop(n, static_cast<T>(a), x, static_cast<T>(b), y, out);                                    \
    }                                                                                                       \
    SCHATTOR_CLONES void extrapolate(Index n, double a, const T* x, const T* y, T* out) {                   \
        extrapolateLoop(n, static_cast<T>(a), x, y, out);                                                   \
    }                                                                                                       \
    SCHATTOR_CLONES void extrapolateFrom(Index n, double a, const T* x, T* y, T* out) {                     \
        extrapolateFromLoop(n, static_cast<T>(a), x, y, out);                                               \
    }                                                                                                       \
    SCHATTOR_CLONES void averageSquares(Index n, double b, double add, const T* g, T* v) {                  \
        averageSquaresLoop(n, static_cast<T>(b), static_cast<T>(add), g, v);                                \
    }                                                                                                       \
    SCHATTOR_CLONES void addScaled(Index n, double a, const T* x, double* sum) {                            \
        addScaledLoop(n, a, x, sum);                                                                        \
    }                                                                                                       \
    SCHATTOR_CLONES void addProducts(Index n, const T* x, const T* y, double* sum) {                        \
        addProductsLoop(n, x, y, sum);                                                                      \
    }                                                                                                       \
    SCHATTOR_CLONES double dotDifference(Index n, const T* x, const T* y, const T* z) {                     \
        return dotDifferenceLoop(n, x, y, z);                                                               \
    }                                                                                                       \
    SCHATTOR_CLONES void scaleWide(Index n, bool each, const double* a, const T* x, T* out) {               \
        each ? scaleWideLoop<true>(n, a, x, out) : scaleWideLoop<false>(n, a, x, out);                      \
    }                                                                                                       \
    SCHATTOR_CLONES void combineWide(Index n, bool each, const double* a, const T* x, const double* b,      \
                                     const T* y, T* out) {                                                  \
        each ? combineWideLoop<true>(n, a, x, b, y, out) : combineWideLoop<false>(n, a, x, b, y, out);      \
    }                                                                                                       \
    SCHATTOR_CLONES void averageDeviations(Index n, double b, const T* g, const T* m, double eps, T* v) {   \
        averageDeviationsLoop(n, static_cast<T>(b), static_cast<T>(1.0 - b), g, m, static_cast<T>(eps), v); \
    }                                                                                                       \
    SCHATTOR_CLONES void raise(Index n, const T* x, T* out) { raiseLoop(n, x, out); }                       \
    SCHATTOR_CLONES void variance(Index n, const T* v, const T* m, T* out) { varianceLoop(n, v, m, out); }  \
    SCHATTOR_CLONES void scaleByRoots(Index n, const T* u, const T* v, double eps, const T* m, T* out) {    \
        scaleByRootsLoop(n, u, v, static_cast<T>(eps), m, out);                                             \
    }                                                                                                       \
    SCHATTOR_CLONES void divideByRoot(Index n, double a, const T* m, double c, const T* v, double eps,      \
                                      T* out) {                                                             \
        divideByRootLoop(n, static_cast<T>(a), m, static_cast<T>(c), v, static_cast<T>(eps), out);          \
    }                                                                                                       \
    SCHATTOR_CLONES void cautiousDecay(Index n, double keep, double a, const T* d, T* w) {                  \
        cautiousDecayLoop(n, static_cast<T>(keep), static_cast<T>(a), d, w);                                \
    }                                                                                                       \
    SCHATTOR_CLONES void momentum(Index n, const Momentum& x, const T* g, T* m, T* out) {                   \
        momentumLoop(n, x, g, m, out);                                                                      \
    }                                                                                                       \
    void scaleByPowerOfTwo(Index n, int e, const T* x, T* out) {                                            \
        /* In two exact factors, as 2^e alone may lie outside the dtype. */                                 \
        const T first = std::ldexp(T(1), e / 2);                                                            \
        const T second = std::ldexp(T(1), e - e / 2);                                                       \
        for (Index i = 0; i < n; ++i) out[i] = (x[i] * first) * second;                                     \
    }

SCHATTOR_KERNELS(float)
SCHATTOR_KERNELS(double)

}  // namespace schattor::kernels
