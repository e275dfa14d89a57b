#include "geometry/line_norm.h"

#include <algorithm>
#include <cmath>

namespace schattor {
namespace {

Scaled sum(const LineLength* begin, const LineLength* end) {
    Scaled result;
    for (const LineLength* line = begin; line < end; ++line)
        result = result.plus({line->value, line->exponent});
    return result;
}

Scaled largest(const LineLength* begin, const LineLength* end) {
    Scaled result;
    for (const LineLength* line = begin; line < end; ++line) {
        const Scaled length{line->value, line->exponent};
        if (length.relativeTo(result.exponent) > result.value) result = length;
    }
    return result;
}

}  // namespace

double LineNorm::dualNormBound(Shape s) const {
    const double length = lines_ == Lines::rows ? static_cast<double>(s.cols) : static_cast<double>(s.rows);
    return static_cast<double>(countOf(lines_, s)) * std::sqrt(length);
}

template <class T>
OracleResult LineNorm::run(const OracleContext& c, Shape s, const T* g, T* d) const {
    const ArenaFrame frame(*c.arena);
    const LineLength *lengths = lineLengths(lines_, s, g, *c.arena), *end = lengths + countOf(lines_, s);
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            const LineLength& own = lengths[lines_ == Lines::rows ? i : j];
            d[i * s.cols + j] = static_cast<T>(0.0 - own.share(g[i * s.cols + j]));
        }
    OracleResult result;
    result.dualNorm = sum(lengths, end);
    if (result.dualNorm.isZero()) return {};
    result.backend = Backend::entrywise;
    result.regularizedScale = result.dualNorm.full();
    result.frobenius = std::sqrt(static_cast<double>(
        std::count_if(lengths, end, [](const LineLength& line) { return line.value > 0.0; })));
    return result;
}

template <class T>
Scaled LineNorm::measure(const OracleContext& c, Shape s, const T* x, bool dual) const {
    const ArenaFrame frame(*c.arena);
    const LineLength *lengths = lineLengths(lines_, s, x, *c.arena), *end = lengths + countOf(lines_, s);
    return dual ? sum(lengths, end) : largest(lengths, end);
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
