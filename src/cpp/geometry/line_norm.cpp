#include "geometry/line_norm.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/kernels.h"

namespace schattor {
namespace {

// The power of two that brings the entries to at most one.
template <class T>
int exponentOf(Shape s, const T* x) {
    int exponent = 0;
    std::frexp(kernels::maxAbs(s.size(), x), &exponent);
    return exponent;
}

}  // namespace

double LineNorm::dualNormBound(Shape s) const {
    const double length = lines_ == Lines::rows ? static_cast<double>(s.cols) : static_cast<double>(s.rows);
    return static_cast<double>(count(s)) * std::sqrt(length);
}

std::size_t LineNorm::scratch(Shape s, Dtype) const {
    return Arena::bytesFor<double>(static_cast<std::size_t>(count(s)));
}

// Lengths of the lines of x / 2^exponent; a line far below the largest entry is measured in its own scale, so
// that no square vanishes.
template <class T>
double* LineNorm::lengths(Shape s, const T* x, int exponent, Arena& arena) const {
    const Index lines = count(s), step = lines_ == Lines::rows ? s.cols : 1;
    const Index jump = lines_ == Lines::rows ? 1 : s.cols, length = lines_ == Lines::rows ? s.cols : s.rows;
    double* result = arena.take<double>(static_cast<std::size_t>(lines));
    std::fill(result, result + lines, 0.0);
    const auto entry = [&](Index line, Index i) {
        return std::ldexp(static_cast<double>(x[line * step + i * jump]), -exponent);
    };
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            const double value = std::ldexp(static_cast<double>(x[i * s.cols + j]), -exponent);
            result[lines_ == Lines::rows ? i : j] += value * value;
        }
    constexpr double tiny = 1e-250;
    for (Index line = 0; line < lines; ++line) {
        if (result[line] > tiny) {
            result[line] = std::sqrt(result[line]);
            continue;
        }
        double largest = 0.0, sum = 0.0;
        for (Index i = 0; i < length; ++i) largest = std::max(largest, std::abs(entry(line, i)));
        if (largest > 0.0)
            for (Index i = 0; i < length; ++i) sum += (entry(line, i) / largest) * (entry(line, i) / largest);
        result[line] = largest * std::sqrt(sum);
    }
    return result;
}

template <class T>
OracleResult LineNorm::run(const OracleContext& c, Shape s, const T* g, T* d) const {
    const ArenaFrame frame(*c.arena);
    const int exponent = exponentOf(s, g);
    const double* length = lengths(s, g, exponent, *c.arena);
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            const double own = length[lines_ == Lines::rows ? i : j];
            const double value = std::ldexp(static_cast<double>(g[i * s.cols + j]), -exponent);
            d[i * s.cols + j] = own > 0.0 ? static_cast<T>(-value / own) : T(0);
        }
    const double* end = length + count(s);
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
    const double *length = lengths(s, x, exponent, *c.arena), *end = length + count(s);
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
