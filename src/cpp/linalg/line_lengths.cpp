#include "linalg/line_lengths.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "base/power_of_two.h"

namespace schattor {

template <class T>
int exponentOf(Shape s, const T* x) {
    int exponent = 0;
    std::frexp(kernels::maxAbs(s.size(), x), &exponent);
    return exponent;
}

template <class T>
double* lineLengths(Lines lines, Shape s, const T* x, int exponent, Arena& arena) {
    const bool rows = lines == Lines::rows;
    const Index count = countOf(lines, s), length = rows ? s.cols : s.rows;
    const Index step = rows ? s.cols : 1, jump = rows ? 1 : s.cols;
    const PowerOfTwo scale(-exponent);
    double* result = arena.take<double>(static_cast<std::size_t>(count));
    std::fill(result, result + count, 0.0);
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            const double value = scale(x[i * s.cols + j]);
            result[rows ? i : j] += value * value;
        }
    constexpr double tiny = 1e-250;
    for (Index line = 0; line < count; ++line) {
        if (result[line] > tiny) {
            result[line] = std::sqrt(result[line]);
            continue;
        }
        const T* first = x + line * step;
        double largest = 0.0, sum = 0.0;
        for (Index i = 0; i < length; ++i) largest = std::max(largest, std::abs(scale(first[i * jump])));
        if (largest > 0.0)
            for (Index i = 0; i < length; ++i) {
                const double share = scale(first[i * jump]) / largest;
                sum += share * share;
            }
        result[line] = largest * std::sqrt(sum);
    }
    return result;
}

template <class T>
void normalizeLines(Lines lines, Shape s, const T* x, double eps, T* out, Arena& arena) {
    const ArenaFrame frame(arena);
    const int exponent = exponentOf(s, x);
    const PowerOfTwo scale(-exponent);
    double* length = lineLengths(lines, s, x, exponent, arena);
    if (eps > 0.0)
        for (Index line = 0; line < countOf(lines, s); ++line)
            length[line] = std::hypot(length[line], std::ldexp(std::sqrt(eps), -exponent));
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            const double own = length[lines == Lines::rows ? i : j];
            const double value = scale(x[i * s.cols + j]);
            out[i * s.cols + j] = own > 0.0 ? static_cast<T>(value / own) : T(0);
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
    template int exponentOf<T>(Shape, const T*);                                 \
    template double* lineLengths<T>(Lines, Shape, const T*, int, Arena&);        \
    template void normalizeLines<T>(Lines, Shape, const T*, double, T*, Arena&); \
    template void scaleLines<T>(Lines, Shape, const T*, const double*, T*);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)

}  // namespace schattor
