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
SCHATTOR_INLINE void addSquaresLoop(Index n, const T* g, T* v) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) v[i] += g[i] * g[i];
}

template <class T>
SCHATTOR_INLINE void averageDeviationsLoop(Index n, T b, T c, const T* g, const T* m, T eps, T* v) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) v[i] = b * v[i] + c * (g[i] - m[i]) * (g[i] - m[i]) + eps;
}

template <class T>
SCHATTOR_INLINE void raiseLoop(Index n, const T* x, T* out) {
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) out[i] = x[i] > out[i] ? x[i] : out[i];
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
    for (Index i = 0; i < n; ++i) {
        const T below = std::sqrt(v[i] + eps);
        out[i] = below > T(0) ? std::sqrt(u[i] + eps) / below * m[i] : T(0);
    }
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

template <class T>
struct MomentumOf {
    T a, b, c, d;
    explicit MomentumOf(const Momentum& x)
        : a(static_cast<T>(x.a)), b(static_cast<T>(x.b)), c(static_cast<T>(x.c)), d(static_cast<T>(x.d)) {}
    SCHATTOR_INLINE T operator()(T g, T& m) const {
        m = a * m + b * g;
        return c * g + d * m;
    }
};

template <class T>
struct RootOf {
    T b, add, c, eps;
    explicit RootOf(const Root& x)
        : b(static_cast<T>(x.b)),
          add(static_cast<T>(1.0 - x.b)),
          c(static_cast<T>(x.c)),
          eps(static_cast<T>(x.eps)) {}
    SCHATTOR_INLINE T operator()(T g, T m, T& v) const {
        v = b * v + add * g * g;
        const T denominator = std::sqrt(c * v) + eps;
        return denominator > T(0) ? m / denominator : T(0);
    }
};

template <class T>
SCHATTOR_INLINE void momentumLoop(Index n, const Momentum& x, const T* g, T* m, T* out) {
    const MomentumOf<T> f(x);
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) out[i] = f(g[i], m[i]);
}

// e = the estimate and target = the new weights, for n entries from `at` on.
template <bool decays, bool averages, bool divides, class T>
SCHATTOR_INLINE void descentLoop(Index at, Index n, const Descent<T>& s, T* e) {
    const MomentumOf<T> momentumOf(s.momentum);
    const RootOf<T> rootOf(s.root);
    const T decay = static_cast<T>(s.decay), keep = static_cast<T>(s.keep), factor = static_cast<T>(s.factor);
    const T *g = s.g + at, *w = s.w + at;
    T *m = averages ? s.m + at : nullptr, *v = divides ? s.v + at : nullptr, *target = s.target + at;
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) {
        T x = g[i];
        if constexpr (decays) x = x + decay * w[i];
        T y = x;
        if constexpr (averages) y = momentumOf(x, m[i]);
        if constexpr (divides) y = rootOf(x, y, v[i]);
        target[i] = keep * w[i] + factor * y;
        e[i] = y;
    }
}

// The sum runs a few entries behind the step: a pass of its own would leave the memory idle, and in one loop
// with the step it would keep compilers from vectorising it.
template <bool decays, bool averages, bool divides, class T>
SCHATTOR_INLINE double descentAndSquares(Index n, const Descent<T>& s) {
    constexpr Index width = 128;
    double sum[lanes] = {};
    T e[width];
    for (Index at = 0; at + width <= n; at += width) {
        descentLoop<decays, averages, divides>(at, width, s, e);
        for (Index i = 0; i < width; i += lanes)
            for (Index j = 0; j < lanes; ++j)
                sum[j] += static_cast<double>(e[i + j]) * static_cast<double>(e[i + j]);
        if (s.estimate != nullptr) std::copy(e, e + width, s.estimate + at);
    }
    const Index left = n % width;
    descentLoop<decays, averages, divides>(n - left, left, s, e);
    for (Index i = 0; i < left; ++i) sum[0] += static_cast<double>(e[i]) * static_cast<double>(e[i]);
    if (s.estimate != nullptr) std::copy(e, e + left, s.estimate + n - left);
    return foldLanes(sum);
}

template <bool decays, class T>
SCHATTOR_INLINE double descentOf(Index n, const Descent<T>& s) {
    if (s.m == nullptr)
        return s.v == nullptr ? descentAndSquares<decays, false, false>(n, s)
                              : descentAndSquares<decays, false, true>(n, s);
    return s.v == nullptr ? descentAndSquares<decays, true, false>(n, s)
                          : descentAndSquares<decays, true, true>(n, s);
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
    SCHATTOR_CLONES void averageSquares(Index n, double b, const T* g, T* v) {                              \
        averageSquaresLoop(n, static_cast<T>(b), static_cast<T>(1.0 - b), g, v);                            \
    }                                                                                                       \
    SCHATTOR_CLONES void addSquares(Index n, const T* g, T* v) { addSquaresLoop(n, g, v); }                 \
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
    SCHATTOR_CLONES double descend(Index n, const Descent<T>& s) {                                          \
        return s.decay != 0.0 ? descentOf<true>(n, s) : descentOf<false>(n, s);                             \
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
