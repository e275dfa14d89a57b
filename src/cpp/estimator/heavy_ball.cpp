#include "estimator/heavy_ball.h"

namespace schattor {

std::vector<StateSlot> HeavyBall::state(Shape shape) const { return {{"buffer", shape}}; }

std::optional<kernels::Momentum> HeavyBall::linear(std::span<const double> slots, std::int64_t count) const {
    const double b = momentum_.at(slots);
    const bool starts = count == 0 && init_ == HeavyBallInit::first;
    return kernels::Momentum{starts ? 0.0 : b, starts ? 1.0 : 1.0 - dampening_.at(slots),
                             nesterov_ ? 1.0 : 0.0, nesterov_ ? b : 1.0};
}

const float* HeavyBall::estimate(const Context<float>& c, const float* g, float* out) const {
    return advance(c, *linear(c.slots, c.count), g, out);
}
const double* HeavyBall::estimate(const Context<double>& c, const double* g, double* out) const {
    return advance(c, *linear(c.slots, c.count), g, out);
}

}  // namespace schattor
