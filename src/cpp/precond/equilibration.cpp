#include "precond/equilibration.h"

#include <algorithm>
#include <cmath>

#include "base/power_of_two.h"

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
    const int exponent = exponentOf(s, m);
    const PowerOfTwo scale(-exponent);
    const double root = std::ldexp(std::sqrt(eps_), -exponent);
    const auto roots = [&](Lines lines) {
        double* length = lineLengths(lines, s, m, exponent, *c.arena);
        for (Index i = 0; i < countOf(lines, s); ++i) length[i] = std::hypot(length[i], root);
        return length;
    };
    const double *rows = roots(Lines::rows), *columns = roots(Lines::columns);
    const auto quotient = [&](Index i, Index j) {
        const double value = scale(m[i * s.cols + j]);
        return value == 0.0 ? 0.0 : value / rows[i] / columns[j];
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
