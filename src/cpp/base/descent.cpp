#include "base/descent.h"

#include <algorithm>
#include <cmath>

#include "base/clones.h"
#include "base/entries.h"

namespace schattor::kernels {
namespace {

using Kind = Metric::Kind;

template <Kind kind, class T>
struct MetricOf {
    T b, add, inner, a, c, eps;
    explicit MetricOf(const Metric& x)
        : b(static_cast<T>(x.b)),
          add(static_cast<T>(x.add)),
          inner(static_cast<T>(x.inner)),
          a(static_cast<T>(x.a)),
          c(static_cast<T>(x.c)),
          eps(static_cast<T>(x.eps)) {}

    SCHATTOR_INLINE T operator()(T x, T y, T& v, T& u) const {
        const T seen = kind == Kind::deviations ? x - y : x;
        T second = averageOfSquares(b, add, seen, v);
        if constexpr (kind == Kind::deviations) second += inner;
        v = second;
        if constexpr (kind == Kind::ratio) {
            const T z = byRoots(u, second, eps, y);
            u = averageOfSquares(b, add, z, u);
            return z;
        }
        if constexpr (kind == Kind::largest) u = second = larger(second, u);
        return overRoot(a, y, c, second, eps);
    }
};

// z = the estimate and target = the new weights, for n entries from `at` on.
template <bool decays, bool averages, Kind kind, Direction direction, class T>
SCHATTOR_INLINE void run(Index at, Index n, const Descent<T>& s, T* z) {
    constexpr bool divides = kind != Kind::none, remembers = kind == Kind::largest || kind == Kind::ratio;
    const MomentumOf<T> momentum(s.momentum);
    const MetricOf<kind, T> metric(s.metric);
    const T decay = static_cast<T>(s.decay), keep = static_cast<T>(s.keep), factor = static_cast<T>(s.factor);
    const T *g = s.g + at, *w = s.w + at;
    T *m = averages ? s.m + at : nullptr, *v = divides ? s.v + at : nullptr,
      *u = remembers ? s.u + at : nullptr;
    T* target = s.target + at;
    SCHATTOR_IVDEP
    for (Index i = 0; i < n; ++i) {
        T x = g[i];
        if constexpr (decays) x = x + decay * w[i];
        T y = x;
        if constexpr (averages) y = momentum(x, m[i]);
        if constexpr (remembers)
            y = metric(x, y, v[i], u[i]);
        else if constexpr (divides)
            y = metric(x, y, v[i], v[i]);  // there is no u
        target[i] = keep * w[i] + factor * (direction == Direction::signs ? signOf(y) : y);
        z[i] = y;
    }
}

// sum[j] += f(x_i) over the entries i of lane j; a vectorised loop.
template <class T, class F>
SCHATTOR_INLINE void addTo(double* sum, Index n, const T* x, F f) {
    Index i = 0;
    for (; i + lanes <= n; i += lanes)
        for (Index j = 0; j < lanes; ++j) sum[j] += f(static_cast<double>(x[i + j]));
    for (; i < n; ++i) sum[0] += f(static_cast<double>(x[i]));
}

struct Totals {
    double power[lanes] = {}, squares[lanes] = {};
};

constexpr Index width = 128;

// The sums run a few entries behind the step: a pass of its own would leave the memory idle, and in one loop
// with the step they would keep compilers from vectorising it.
template <bool decays, bool averages, Kind kind, Direction direction, class T>
SCHATTOR_INLINE void advance(Index at, Index n, const Descent<T>& s, Totals& totals) {
    T z[width];
    run<decays, averages, kind, direction>(at, n, s, z);
    if constexpr (direction == Direction::signs) {
        T moves[width];
        for (Index i = 0; i < n; ++i) moves[i] = z[i] == T(0) ? T(0) : T(1);
        addTo(totals.power, n, z, [](double x) { return std::abs(x); });
        addTo(totals.squares, n, moves, [](double x) { return x; });
    } else {
        addTo(totals.power, n, z, [](double x) { return x * x; });
    }
    if (s.estimate != nullptr) std::copy(z, z + n, s.estimate + at);
}

template <bool decays, bool averages, Kind kind, Direction direction, class T>
SCHATTOR_INLINE DescentSums descendBy(Index n, const Descent<T>& s) {
    Totals totals;
    Index at = 0;
    for (; at + width <= n; at += width) advance<decays, averages, kind, direction>(at, width, s, totals);
    advance<decays, averages, kind, direction>(at, n - at, s, totals);
    const double power = foldLanes(totals.power);
    return {power, direction == Direction::signs ? foldLanes(totals.squares) : power};
}

template <Kind kind, Direction direction, class T>
SCHATTOR_INLINE DescentSums descendFrom(Index n, const Descent<T>& s) {
    if (s.m == nullptr)
        return s.decay == 0.0 ? descendBy<false, false, kind, direction>(n, s)
                              : descendBy<true, false, kind, direction>(n, s);
    return s.decay == 0.0 ? descendBy<false, true, kind, direction>(n, s)
                          : descendBy<true, true, kind, direction>(n, s);
}

}  // namespace

// Each a function of its own, so that compilers see one loop at a time.
#define SCHATTOR_DESCENT(Name, kind, direction)                           \
    SCHATTOR_CLONES DescentSums Name(Index n, const Descent<float>& s) {  \
        return descendFrom<kind, direction>(n, s);                        \
    }                                                                     \
    SCHATTOR_CLONES DescentSums Name(Index n, const Descent<double>& s) { \
        return descendFrom<kind, direction>(n, s);                        \
    }

namespace {
SCHATTOR_DESCENT(descendPlain, Kind::none, Direction::estimate)
SCHATTOR_DESCENT(descendSigns, Kind::none, Direction::signs)
SCHATTOR_DESCENT(descendSquares, Kind::squares, Direction::estimate)
SCHATTOR_DESCENT(descendLargest, Kind::largest, Direction::estimate)
SCHATTOR_DESCENT(descendDeviations, Kind::deviations, Direction::estimate)
SCHATTOR_DESCENT(descendRatio, Kind::ratio, Direction::estimate)

template <class T>
DescentSums descendAny(Index n, const Descent<T>& s) {
    if (s.direction == Direction::signs) return descendSigns(n, s);
    switch (s.metric.kind) {
        case Kind::none:
            return descendPlain(n, s);
        case Kind::squares:
            return descendSquares(n, s);
        case Kind::largest:
            return descendLargest(n, s);
        case Kind::deviations:
            return descendDeviations(n, s);
        case Kind::ratio:
            return descendRatio(n, s);
    }
    return {};
}
}  // namespace

DescentSums descend(Index n, const Descent<float>& s) { return descendAny(n, s); }
DescentSums descend(Index n, const Descent<double>& s) { return descendAny(n, s); }

}  // namespace schattor::kernels
