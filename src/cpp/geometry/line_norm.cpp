#include "geometry/line_norm.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/power_of_two.h"

namespace schattor {

double LineNorm::dualNormBound(Shape s) const {
    const double length = lines_ == Lines::rows ? static_cast<double>(s.cols) : static_cast<double>(s.rows);
    return static_cast<double>(countOf(lines_, s)) * std::sqrt(length);
}

std::size_t LineNorm::scratch(Shape s, Dtype) const { return lineLengthsScratch(lines_, s); }

template <class T>
OracleResult LineNorm::run(const OracleContext& c, Shape s, const T* g, T* d) const {
    const ArenaFrame frame(*c.arena);
    const int exponent = exponentOf(s, g);
    const PowerOfTwo scale(-exponent);
    const double* length = lineLengths(lines_, s, g, exponent, *c.arena);
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            const double own = length[lines_ == Lines::rows ? i : j];
            const double value = scale(g[i * s.cols + j]);
            d[i * s.cols + j] = own > 0.0 ? static_cast<T>(-value / own) : T(0);
        }
    const double* end = length + countOf(lines_, s);
    OracleResult result;
    result.dualNorm = {std::accumulate(length, end, 0.0), exponent};
    if (result.dualNorm.isZero()) return {};
    result.backend = Backend::entrywise;
    result.regularizedScale = result.dualNorm.full();
    result.frobenius =
        std::sqrt(static_cast<double>(std::count_if(length, end, [](double x) { return x > 0.0; })));
    return result;
}

template <class T>
Scaled LineNorm::measure(const OracleContext& c, Shape s, const T* x, bool dual) const {
    const ArenaFrame frame(*c.arena);
    const int exponent = exponentOf(s, x);
    const double *length = lineLengths(lines_, s, x, exponent, *c.arena), *end = length + countOf(lines_, s);
    return {dual ? std::accumulate(length, end, 0.0) : *std::max_element(length, end), exponent};
}

#define SCHATTOR_DEFINE(T)                                                                 \
    OracleResult LineNorm::ball(const OracleContext& c, Shape s, const T* g, T* d) const { \
        return run(c, s, g, d);                                                            \
    }                                                                                      \
    Scaled LineNorm::norm(const OracleContext& c, Shape s, const T* x) const {             \
        return measure(c, s, x, false);                                                    \
    }                                                                                      \
    Scaled LineNorm::dualNorm(const OracleContext& c, Shape s, const T* g) const {         \
        return measure(c, s, g, true);                                                     \
    }
SCHATTOR_DEFINE(float)
SCHATTOR_DEFINE(double)

}  // namespace schattor
