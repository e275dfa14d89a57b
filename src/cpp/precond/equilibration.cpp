#include "precond/equilibration.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace schattor {

template <class T>
void Equilibration::run(const Context<T>& c, const T* m, T* out) const {
    const Sides sides = sides_[static_cast<std::size_t>(c(choice_))];
    if (sides == Sides::both) return divideByBoth(c, m, out);
    normalizeLines(sides == Sides::rows ? Lines::rows : Lines::columns, c.shape, m, eps_, out, *c.arena);
}

template <class T>
void Equilibration::divideByBoth(const Context<T>& c, const T* m, T* out) const {
    const ArenaFrame frame(*c.arena);
    const Shape s = c.shape;
    const auto lengths = [&](Lines lines) {
        LineLength* result = lineLengths(lines, s, m, *c.arena);
        damp(result, countOf(lines, s), eps_);
        return result;
    };
    const LineLength *rows = lengths(Lines::rows), *columns = lengths(Lines::columns);
    int unit = std::numeric_limits<int>::max();  // of the shortest column, which has the largest quotients
    for (Index j = 0; j < s.cols; ++j)
        if (columns[j].value > 0.0) unit = std::min(unit, columns[j].exponent);
    const auto quotient = [&](Index i, Index j) {
        const double share = rows[i].share(m[i * s.cols + j]);
        return share == 0.0 ? 0.0 : std::ldexp(share / columns[j].value, unit - columns[j].exponent);
    };
    double largest = 0.0;
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) largest = std::max(largest, std::abs(quotient(i, j)));
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j)
            out[i * s.cols + j] = largest > 0.0 ? static_cast<T>(quotient(i, j) / largest) : T(0);
}

template void Equilibration::run<float>(const Context<float>&, const float*, float*) const;
template void Equilibration::run<double>(const Context<double>&, const double*, double*) const;

}  // namespace schattor
