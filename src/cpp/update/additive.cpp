#include "update/additive.h"

#include "base/kernels.h"

namespace schattor {

template <class T>
Moved Additive::run(const Context<T>& c, double factor, const T* d, T* w) const {
    const double keep = share(c.slots, c.lr);
    if (decay_ == Decay::cautious)
        kernels::cautiousDecay(c.size(), keep, factor, d, w);
    else
        kernels::combine(c.size(), keep, w, decay_ == Decay::after ? keep * factor : factor, d, w);
    return {};
}

Moved Additive::apply(const Context<float>& c, double factor, const float* d, float* w) const {
    return run(c, factor, d, w);
}
Moved Additive::apply(const Context<double>& c, double factor, const double* d, double* w) const {
    return run(c, factor, d, w);
}

}  // namespace schattor
