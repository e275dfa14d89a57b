#include "geometry/lp.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/kernels.h"
#include "geometry/euclidean.h"
#include "linalg/norms.h"

namespace schattor {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// sum_i (|x_i| / largest)^p
template <class T>
double scaledPowerSum(Index n, const T* x, double largest, double p) {
    double sum = 0.0;
    for (Index i = 0; i < n; ++i) sum += std::pow(std::abs(static_cast<double>(x[i])) / largest, p);
    return sum;
}

// d = -sign(g) weight(|g| / largest), zero at zero; returns ||d||_F.
template <class T, class Weight>
double writeDirection(Index n, const T* g, double largest, T* d, Weight weight) {
    double squares = 0.0;
    for (Index i = 0; i < n; ++i) {
        const double x = static_cast<double>(g[i]);
        const double w = x == 0.0 ? 0.0 : weight(std::abs(x) / largest);
        d[i] = static_cast<T>(x > 0.0 ? -w : w);
        squares += w * w;
    }
    return std::sqrt(squares);
}

}  // namespace

template <class T>
Scaled Lp::norm(Shape s, const T* x, double p) const {
    if (p == 2.0) return frobeniusNorm(s.size(), x);
    const double largest = kernels::maxAbs(s.size(), x);
    if (largest == 0.0) return {};
    if (p == 1.0) return sumNorm(s.size(), x, largest);
    const Scaled unit = Scaled{largest, 0}.normalized();
    if (p == infinity) return unit;
    return unit.times(std::pow(scaledPowerSum(s.size(), x, largest, p), 1.0 / p));
}

template <class T>
OracleResult Lp::run(const OracleContext& c, Shape s, const T* g, T* d) const {
    const Exponents e(p_.at(c.slots));
    if (e.p == 2.0) return euclideanBall(c, s, g, d);
    const Index n = s.size();
    const double largest = kernels::maxAbs(n, g);
    if (largest == 0.0) {
        std::fill(d, d + n, T(0));
        return {};
    }
    OracleResult result;
    result.backend = Backend::entrywise;
    result.dualNorm = norm(s, g, e.q);
    result.regularizedScale = result.dualNorm.full();
    if (e.p == infinity) {
        kernels::negativeSign(n, g, d);
        result.frobenius = std::sqrt(kernels::sumOfSquares(n, d));
    } else if (e.p == 1.0) {
        const auto isLargest = [&](T x) { return std::abs(static_cast<double>(x)) == largest; };
        const double share = 1.0 / static_cast<double>(std::count_if(g, g + n, isLargest));
        result.frobenius = writeDirection(n, g, largest, d, [=](double t) { return t == 1.0 ? share : 0.0; });
    } else {
        const double factor = std::pow(scaledPowerSum(n, g, largest, e.q), -1.0 / e.p);
        result.frobenius =
            writeDirection(n, g, largest, d, [=](double t) { return std::pow(t, e.power) * factor; });
    }
    return result;
}

#define SCHATTOR_DEFINE(T)                                                           \
    OracleResult Lp::ball(const OracleContext& c, Shape s, const T* g, T* d) const { \
        return run(c, s, g, d);                                                      \
    }                                                                                \
    Scaled Lp::norm(const OracleContext& c, Shape s, const T* x) const {             \
        return norm(s, x, p_.at(c.slots));                                           \
    }                                                                                \
    Scaled Lp::dualNorm(const OracleContext& c, Shape s, const T* g) const {         \
        return norm(s, g, Exponents(p_.at(c.slots)).q);                              \
    }
SCHATTOR_DEFINE(float)
SCHATTOR_DEFINE(double)

}  // namespace schattor
