#include "update/additive.h"

#include "base/kernels.h"

namespace schattor {

template <class T>
void Additive::run(const Context<T>& c, double factor, const T* d, T* w) const {
    const double rate = c(weightDecay_);
    const double keep =
        decay_ == Decay::none ? 1.0 : 1.0 - (decay_ == Decay::independent ? rate : c.lr * rate);
    if (decay_ == Decay::cautious)
        kernels::cautiousDecay(c.size(), keep, factor, d, w);
    else
        kernels::combine(c.size(), keep, w, factor, d, w);
}

void Additive::apply(const Context<float>& c, double factor, const float* d, float* w) const {
    run(c, factor, d, w);
}
void Additive::apply(const Context<double>& c, double factor, const double* d, double* w) const {
    run(c, factor, d, w);
}

}  // namespace schattor
