#include "precond/second_moment.h"

#include <cmath>

namespace schattor {

std::optional<kernels::Root> SecondMoment::root(std::span<const double> slots, std::int64_t count) const {
    const double b = beta_.at(slots);
    return kernels::Root{b, 1.0 / (1.0 - std::pow(b, static_cast<double>(count + 1))), eps_.at(slots)};
}

void SecondMoment::observe(const Context<float>& c, const float* g, const float*) const {
    kernels::averageSquares(c.size(), c(beta_), g, c.state[0]);
}
void SecondMoment::observe(const Context<double>& c, const double* g, const double*) const {
    kernels::averageSquares(c.size(), c(beta_), g, c.state[0]);
}
void SecondMoment::apply(const Context<float>& c, const float* m, float* out) const {
    const kernels::Root r = *root(c.slots, c.count);
    kernels::divideByRoot(c.size(), 1.0, m, r.c, c.state[0], r.eps, out);
}
void SecondMoment::apply(const Context<double>& c, const double* m, double* out) const {
    const kernels::Root r = *root(c.slots, c.count);
    kernels::divideByRoot(c.size(), 1.0, m, r.c, c.state[0], r.eps, out);
}

// Half of it, as V / (1 - b^t) may round up.
double SecondMoment::largestMagnitude(Dtype dtype) const { return 0.5 * std::sqrt(largestFinite(dtype)); }

}  // namespace schattor
