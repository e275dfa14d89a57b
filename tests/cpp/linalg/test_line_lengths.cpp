#include "linalg/line_lengths.h"

#include <cmath>

#include "support.h"

using schattor::Arena;
using schattor::Index;
using schattor::Lines;
using schattor::Shape;
using support::forBothDtypes;
using support::gaussian;

namespace {

constexpr Shape shapes[] = {{1, 1}, {1, 40}, {40, 1}, {7, 5}, {16, 33}};
constexpr Lines both[] = {Lines::rows, Lines::columns};

Index lineOf(Lines lines, Shape s, std::size_t at) {
    const auto i = static_cast<Index>(at);
    return lines == Lines::rows ? i / s.cols : i % s.cols;
}

template <class T>
std::vector<long double> dots(Lines lines, Shape s, const std::vector<T>& x, const std::vector<T>& y) {
    std::vector<long double> result(static_cast<std::size_t>(countOf(lines, s)), 0.0L);
    for (std::size_t i = 0; i < x.size(); ++i)
        result[static_cast<std::size_t>(lineOf(lines, s, i))] += static_cast<long double>(x[i]) * y[i];
    return result;
}

}  // namespace

TEST("lengths, products and combinations of lines are those of their entries") {
    forBothDtypes([]<class T>(T) {
        const double eps = schattor::machineEpsilon(schattor::dtypeOf<T>);
        for (const Shape s : shapes)
            for (const Lines lines : both) {
                const std::vector<T> x = gaussian<T>(s.size(), 1), y = gaussian<T>(s.size(), 2);
                const auto count = static_cast<std::size_t>(countOf(lines, s));
                const std::vector<double> a = gaussian<double>(countOf(lines, s), 3);
                const std::vector<double> b = gaussian<double>(countOf(lines, s), 4);
                const auto squares = dots(lines, s, x, x), products = dots(lines, s, x, y);
                Arena arena;
                const schattor::LineLength* lengths = lineLengths(lines, s, x.data(), arena);
                std::vector<double> found(count);
                dotLines(lines, s, x.data(), y.data(), found.data());
                for (std::size_t k = 0; k < count; ++k) {
                    const auto length = static_cast<double>(std::sqrt(squares[k]));
                    CHECK_NEAR(lengths[k].full(), length, 1e-14 * length);
                    CHECK_NEAR(found[k], static_cast<double>(products[k]),
                               1e-13 * static_cast<double>(s.size()));
                }
                std::vector<T> combined(x.size()), scaled = x;
                combineLines(lines, s, a.data(), x.data(), b.data(), y.data(), combined.data());
                scaleLines(lines, s, scaled.data(), a.data(), scaled.data());
                for (std::size_t i = 0; i < x.size(); ++i) {
                    const auto k = static_cast<std::size_t>(lineOf(lines, s, i));
                    const double ofX = a[k] * static_cast<double>(x[i]),
                                 ofY = b[k] * static_cast<double>(y[i]);
                    CHECK_NEAR(static_cast<double>(scaled[i]), ofX, eps * std::abs(ofX));
                    CHECK_NEAR(static_cast<double>(combined[i]), ofX + ofY,
                               2 * eps * (std::abs(ofX) + std::abs(ofY)));
                }
            }
    });
}

TEST("normalized lines have length one at any scale, and zero lines stay zero") {
    forBothDtypes([]<class T>(T) {
        using Limits = std::numeric_limits<T>;
        const Shape s{6, 9};
        for (const Lines lines : both)
            for (const int e : {0, Limits::min_exponent + 3, Limits::max_exponent - 4}) {
                std::vector<T> x = gaussian<T>(s.size(), 5);
                for (std::size_t i = 0; i < x.size(); ++i)
                    x[i] = lineOf(lines, s, i) == 2 ? T(0) : std::ldexp(x[i], e);
                std::vector<T> out(x.size());
                Arena arena;
                normalizeLines(lines, s, x.data(), 0.0, out.data(), arena);
                const auto squares = dots(lines, s, out, out);
                for (std::size_t k = 0; k < squares.size(); ++k)
                    CHECK_NEAR(static_cast<double>(squares[k]), k == 2 ? 0.0 : 1.0, 8 * Limits::epsilon());
            }
    });
}
