#include "linalg/line_lengths.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"

namespace schattor {
namespace {

// Squares of what is smaller than this, in its scale, are still in range.
constexpr int smallestExponent = -900;

}  // namespace

template <class T>
LineLength* lineLengths(Lines lines, Shape s, const T* x, Arena& arena) {
    const bool rows = lines == Lines::rows;
    const Index count = countOf(lines, s);
    auto* result = arena.take<LineLength>(static_cast<std::size_t>(count));
    std::fill(result, result + count, LineLength{});
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            double& largest = result[rows ? i : j].value;
            largest = std::max(largest, std::abs(static_cast<double>(x[i * s.cols + j])));
        }
    for (LineLength* line = result; line < result + count; ++line) {
        std::frexp(line->value, &line->exponent);
        line->exponent = std::max(line->exponent, smallestExponent);
        line->unscale = PowerOfTwo(-line->exponent);
        line->value = 0.0;
    }
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            LineLength& line = result[rows ? i : j];
            const double entry = line.unscale(x[i * s.cols + j]);
            line.value += entry * entry;
        }
    for (Index i = 0; i < count; ++i) result[i].value = std::sqrt(result[i].value);
    return result;
}

void damp(LineLength* lengths, Index count, double eps) {
    if (eps == 0.0) return;
    for (LineLength* line = lengths; line < lengths + count; ++line)
        line->value = std::hypot(line->value, std::ldexp(std::sqrt(eps), -line->exponent));
}

template <class T>
void normalizeLines(Lines lines, Shape s, const T* x, double eps, T* out, Arena& arena) {
    const ArenaFrame frame(arena);
    LineLength* lengths = lineLengths(lines, s, x, arena);
    damp(lengths, countOf(lines, s), eps);
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            const LineLength& line = lengths[lines == Lines::rows ? i : j];
            out[i * s.cols + j] = static_cast<T>(line.share(x[i * s.cols + j]));
        }
}

template <class T>
void scaleLines(Lines lines, Shape s, const T* x, const double* factors, T* out) {
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            const double factor = factors[lines == Lines::rows ? i : j];
            out[i * s.cols + j] = static_cast<T>(factor * static_cast<double>(x[i * s.cols + j]));
        }
}

#define SCHATTOR_INSTANTIATE(T)                                                  \
    template LineLength* lineLengths<T>(Lines, Shape, const T*, Arena&);         \
    template void normalizeLines<T>(Lines, Shape, const T*, double, T*, Arena&); \
    template void scaleLines<T>(Lines, Shape, const T*, const double*, T*);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)

}  // namespace schattor
