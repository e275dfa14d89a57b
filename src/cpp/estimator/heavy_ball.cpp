#include "estimator/heavy_ball.h"

#include <algorithm>

#include "base/kernels.h"

namespace schattor {

std::vector<StateSlot> HeavyBall::state(Shape shape) const { return {{"buffer", shape}}; }

template <class T>
const T* HeavyBall::run(const Context<T>& c, const T* g, T* out) const {
    const double b = c(momentum_);
    const Index n = c.size();
    T* buffer = c.state[0];
    if (c.count == 0 && init_ == HeavyBallInit::first)
        std::copy(g, g + n, buffer);
    else
        kernels::combine(n, b, buffer, 1.0 - c(dampening_), g, buffer);
    if (!nesterov_) return buffer;
    kernels::combine(n, 1.0, g, b, buffer, out);
    return out;
}

const float* HeavyBall::estimate(const Context<float>& c, const float* g, float* out) const {
    return run(c, g, out);
}
const double* HeavyBall::estimate(const Context<double>& c, const double* g, double* out) const {
    return run(c, g, out);
}

}  // namespace schattor
