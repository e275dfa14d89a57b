#include "plan/block_stages.h"

#include <algorithm>

#include "base/kernels.h"

namespace schattor {

template <class T>
const T* BlockStages<T>::transform(const Context<T>& c, const T* g) const {
    T* work = parts_.transforms.empty() ? nullptr : take(c, c.size());
    for (std::size_t i = 0; i < parts_.transforms.size(); ++i)
        g = parts_.transforms[i]->apply(own(c, Pipeline::ofTransforms + i), g, work);
    return g;
}

template <class T>
const T* BlockStages<T>::estimate(const Context<T>& c, const T* g, double bound) const {
    const T* m = parts_.estimator->estimate(own(c, Pipeline::ofEstimator), g, take(c, c.size()));
    // The bound of an estimator that forgets falls with it: while it lives, nobody looks. Where it does not,
    // what stands there is looked at, since a part in Python may have made something of nothing.
    const bool forgets = parts_.estimator->retention(c.slots) < 1.0;
    if ((forgets && !isDead(bound)) || !isDead(kernels::maxAbs(c.size(), m))) return m;
    T* zero = take(c, c.size());
    std::fill(zero, zero + c.size(), T(0));
    return zero;
}

template <class T>
const T* BlockStages<T>::precondition(const Context<T>& c, const T* g, const T* m) const {
    if (!parts_.preconditioner) return m;
    const Context<T> inside = own(c, Pipeline::ofPreconditioner);
    T* mapped = take(c, inside.size());
    parts_.preconditioner->observe(inside, g, m);
    parts_.preconditioner->apply(inside, m, mapped);
    return mapped;
}

template class BlockStages<float>;
template class BlockStages<double>;

}  // namespace schattor
