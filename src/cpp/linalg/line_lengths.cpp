#include "linalg/line_lengths.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"

namespace schattor {
namespace {

// Squares of what is smaller than this, in its scale, are still in range.
constexpr int smallestExponent = -900;

void measureScaled(Lines lines, Shape s, const double* x, LineLength* result) {
    const bool rows = lines == Lines::rows;
    const Index count = countOf(lines, s);
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            double& largest = result[rows ? i : j].value;
            largest = std::max(largest, std::abs(x[i * s.cols + j]));
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
}

}  // namespace

template <class T>
LineLength* lineLengths(Lines lines, Shape s, const T* x, Arena& arena) {
    const Index count = countOf(lines, s);
    auto* result = arena.take<LineLength>(static_cast<std::size_t>(count));
    std::fill(result, result + count, LineLength{});
    if constexpr (sizeof(T) < sizeof(double)) {  // no square of float leaves the range of double
        const ArenaFrame frame(arena);
        double* squares = arena.take<double>(static_cast<std::size_t>(count));
        dotLines(lines, s, x, x, squares);
        for (Index k = 0; k < count; ++k) result[k].value = std::sqrt(squares[k]);
    } else {
        measureScaled(lines, s, x, result);
    }
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
    const Index count = countOf(lines, s);
    LineLength* lengths = lineLengths(lines, s, x, arena);
    damp(lengths, count, eps);
    if constexpr (sizeof(T) < sizeof(double)) {
        double* factors = arena.take<double>(static_cast<std::size_t>(count));
        for (Index k = 0; k < count; ++k) factors[k] = lengths[k].value > 0.0 ? 1.0 / lengths[k].full() : 0.0;
        return scaleLines(lines, s, x, factors, out);
    }
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            const LineLength& line = lengths[lines == Lines::rows ? i : j];
            out[i * s.cols + j] = static_cast<T>(line.share(x[i * s.cols + j]));
        }
}

template <class T>
void scaleLines(Lines lines, Shape s, const T* x, const double* factors, T* out) {
    const bool rows = lines == Lines::rows;
    for (Index i = 0; i < s.rows; ++i)
        kernels::scaleWide(s.cols, !rows, rows ? factors + i : factors, x + i * s.cols, out + i * s.cols);
}

template <class T>
void combineLines(Lines lines, Shape s, const double* a, const T* x, const double* b, const T* y, T* out) {
    const bool rows = lines == Lines::rows;
    for (Index i = 0; i < s.rows; ++i) {
        const Index at = i * s.cols;
        kernels::combineWide(s.cols, !rows, rows ? a + i : a, x + at, rows ? b + i : b, y + at, out + at);
    }
}

template <class T>
void dotLines(Lines lines, Shape s, const T* x, const T* y, double* out) {
    if (lines == Lines::columns) std::fill(out, out + s.cols, 0.0);
    for (Index i = 0; i < s.rows; ++i) {
        const T *xi = x + i * s.cols, *yi = y + i * s.cols;
        if (lines == Lines::rows)
            out[i] = kernels::dot(s.cols, xi, yi);
        else
            kernels::addProducts(s.cols, xi, yi, out);
    }
}

#define SCHATTOR_INSTANTIATE(T)                                                                        \
    template LineLength* lineLengths<T>(Lines, Shape, const T*, Arena&);                               \
    template void normalizeLines<T>(Lines, Shape, const T*, double, T*, Arena&);                       \
    template void scaleLines<T>(Lines, Shape, const T*, const double*, T*);                            \
    template void combineLines<T>(Lines, Shape, const double*, const T*, const double*, const T*, T*); \
    template void dotLines<T>(Lines, Shape, const T*, const T*, double*);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)

}  // namespace schattor
