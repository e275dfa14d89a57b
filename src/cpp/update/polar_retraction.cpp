#include "update/polar_retraction.h"

#include "geometry/polar_factor.h"
#include "update/displacement.h"

namespace schattor {

template <class T>
Moved PolarRetraction::run(const Context<T>& c, double factor, const T* d, T* w) const {
    const Index size = c.size();
    if (factor == 0.0 || kernels::maxAbs(size, d) == 0.0) return {0.0};
    Displacement<T> displacement(c, w);
    const ArenaFrame frame(*c.arena);
    T* moved = c.arena->template take<T>(static_cast<std::size_t>(size));
    kernels::combine(size, 1.0, w, factor, d, moved);
    polarFactor(*polar_, c, c.shape, moved, w);
    return {.norm = displacement.norm(w)};
}

template Moved PolarRetraction::run<float>(const Context<float>&, double, const float*, float*) const;
template Moved PolarRetraction::run<double>(const Context<double>&, double, const double*, double*) const;

}  // namespace schattor
