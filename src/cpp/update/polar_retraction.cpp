#include "update/polar_retraction.h"

#include "geometry/polar_factor.h"

namespace schattor {

std::size_t PolarRetraction::scratch(Shape s, Dtype dtype) const {
    return Arena::bytesFor(static_cast<std::size_t>(s.size()), dtype) + polar_->scratch(s, dtype);
}

template <class T>
void PolarRetraction::run(const Context<T>& c, double factor, const T* d, T* w) const {
    const Index size = c.size();
    if (factor == 0.0 || kernels::maxAbs(size, d) == 0.0) return;
    const ArenaFrame frame(*c.arena);
    T* moved = c.arena->template take<T>(static_cast<std::size_t>(size));
    kernels::combine(size, 1.0, w, factor, d, moved);
    polarFactor(*polar_, c, c.shape, moved, w);
}

template void PolarRetraction::run<float>(const Context<float>&, double, const float*, float*) const;
template void PolarRetraction::run<double>(const Context<double>&, double, const double*, double*) const;

}  // namespace schattor
