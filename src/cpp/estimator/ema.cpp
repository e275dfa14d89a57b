#include "estimator/ema.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"

namespace schattor {

std::vector<StateSlot> Ema::state(Shape shape) const { return {{"average", shape}}; }

template <class T>
const T* Ema::run(const Context<T>& c, const T* g, T* out) const {
    const double b = c(momentum_);
    const Index n = c.size();
    T* average = c.state[0];
    if (c.count == 0 && init_ == EmaInit::first)
        std::copy(g, g + n, average);
    else
        kernels::combine(n, b, average, 1.0 - b, g, average);
    const auto debias = [&](std::int64_t t) {
        return init_ == EmaInit::debiased ? 1.0 / (1.0 - std::pow(b, static_cast<double>(t))) : 1.0;
    };
    const std::int64_t t = c.count + 1;
    if (nesterov_)
        kernels::combine(n, (1.0 - b) * debias(t), g, b * debias(t + 1), average, out);
    else if (init_ == EmaInit::debiased)
        kernels::scale(n, debias(t), average, out);
    else
        return average;
    return out;
}

const float* Ema::estimate(const Context<float>& c, const float* g, float* out) const {
    return run(c, g, out);
}
const double* Ema::estimate(const Context<double>& c, const double* g, double* out) const {
    return run(c, g, out);
}

}  // namespace schattor
