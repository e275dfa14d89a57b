#include "estimator/ema.h"

#include <cmath>

namespace schattor {

std::vector<StateSlot> Ema::state(Shape shape) const { return {{"average", shape}}; }

std::optional<kernels::Momentum> Ema::linear(std::span<const double> slots, std::int64_t count) const {
    const double b = momentum_.at(slots);
    const bool starts = count == 0 && init_ == EmaInit::first;
    const auto debias = [&](std::int64_t t) {
        return init_ == EmaInit::debiased ? 1.0 / (1.0 - std::pow(b, static_cast<double>(t))) : 1.0;
    };
    kernels::Momentum result{starts ? 0.0 : b, starts ? 1.0 : 1.0 - b, 0.0, debias(count + 1)};
    if (nesterov_) {
        result.c = (1.0 - b) * debias(count + 1);
        result.d = b * debias(count + 2);
    }
    return result;
}

const float* Ema::estimate(const Context<float>& c, const float* g, float* out) const {
    return advance(c, *linear(c.slots, c.count), g, out);
}
const double* Ema::estimate(const Context<double>& c, const double* g, double* out) const {
    return advance(c, *linear(c.slots, c.count), g, out);
}

}  // namespace schattor
