#pragma once

#include <cmath>

#include "base/clones.h"
#include "base/kernels.h"

/// What the loops over entries do to one entry. Written once, since a step in one loop and a step part by
/// part are the same step.
namespace schattor::kernels {

/// Sums run in so many lanes, which a fixed order adds up.
constexpr Index lanes = 16;

SCHATTOR_INLINE double foldLanes(double* sum) {
    for (Index width = lanes / 2; width > 0; width /= 2)
        for (Index j = 0; j < width; ++j) sum[j] += sum[j + width];
    return sum[0];
}

template <class T>
SCHATTOR_INLINE T averageOfSquares(T b, T add, T g, T v) {
    return b * v + add * g * g;
}

/// a m / (sqrt(c v) + eps), 0 where the denominator is 0
template <class T>
SCHATTOR_INLINE T overRoot(T a, T m, T c, T v, T eps) {
    const T root = std::sqrt(c * v) + eps;
    return root > T(0) ? a * m / root : T(0);
}

/// sqrt(u + eps) / sqrt(v + eps) m, 0 where the denominator is 0
template <class T>
SCHATTOR_INLINE T byRoots(T u, T v, T eps, T m) {
    const T below = std::sqrt(v + eps);
    return below > T(0) ? std::sqrt(u + eps) / below * m : T(0);
}

template <class T>
SCHATTOR_INLINE T larger(T x, T y) {
    return x > y ? x : y;
}

template <class T>
SCHATTOR_INLINE T signOf(T x) {
    return static_cast<T>(x > T(0)) - static_cast<T>(x < T(0));
}

template <class T>
struct MomentumOf {
    T a, b, c, d, e;
    explicit MomentumOf(const Momentum& x)
        : a(static_cast<T>(x.a)),
          b(static_cast<T>(x.b)),
          c(static_cast<T>(x.c)),
          d(static_cast<T>(x.d)),
          e(static_cast<T>(x.e)) {}
    SCHATTOR_INLINE T operator()(T g, T& m) const {
        const T old = m;
        m = a * old + b * g;
        return c * g + d * m + e * old;
    }
};

}  // namespace schattor::kernels
