#include "precond/leverage_equilibration.h"

#include <algorithm>
#include <cmath>

#include "geometry/polar_factor.h"

namespace schattor {

template <class T>
void LeverageEquilibration::run(const Context<T>& c, const T* m, T* out) const {
    const Shape s = c.shape;
    if (s.rows == s.cols) {
        std::copy(m, m + s.size(), out);
        return;
    }
    const ArenaFrame frame(*c.arena);
    const Lines lines = s.rows > s.cols ? Lines::rows : Lines::columns;
    const double wanted = static_cast<double>(s.smaller()) / static_cast<double>(s.larger());
    normalizeLines(lines, s, m, 0.0, out, *c.arena);
    T* polar = c.arena->template take<T>(static_cast<std::size_t>(s.size()));
    double* factors = c.arena->template take<double>(static_cast<std::size_t>(s.larger()));
    for (int pass = 1; pass < passes_; ++pass) {
        polarFactor(*polar_, c, s, out, polar);
        const ArenaFrame inner(*c.arena);
        const LineLength* lengths = lineLengths(lines, s, polar, *c.arena);
        for (Index i = 0; i < s.larger(); ++i) {
            const double length = lengths[i].full();
            factors[i] = length > 0.0 ? std::pow(wanted / (length * length), beta_) : 0.0;
        }
        scaleLines(lines, s, out, factors, out);
    }
}

template void LeverageEquilibration::run<float>(const Context<float>&, const float*, float*) const;
template void LeverageEquilibration::run<double>(const Context<double>&, const double*, double*) const;

}  // namespace schattor
