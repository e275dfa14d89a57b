#include "precond/second_moment.h"

#include <cmath>

#include "base/kernels.h"

namespace schattor {

double SecondMoment::correction(double beta, std::int64_t count) const {
    return 1.0 / (1.0 - std::pow(beta, static_cast<double>(count + 1)));
}

void SecondMoment::observe(const Context<float>& c, const float* g, const float*) const {
    kernels::averageSquares(c.size(), c(beta_), g, c.state[0]);
}
void SecondMoment::observe(const Context<double>& c, const double* g, const double*) const {
    kernels::averageSquares(c.size(), c(beta_), g, c.state[0]);
}
void SecondMoment::apply(const Context<float>& c, const float* m, float* out) const {
    kernels::divideByRoot(c.size(), 1.0, m, correction(c(beta_), c.count), c.state[0], c(eps_), out);
}
void SecondMoment::apply(const Context<double>& c, const double* m, double* out) const {
    kernels::divideByRoot(c.size(), 1.0, m, correction(c(beta_), c.count), c.state[0], c(eps_), out);
}

// Half of it, as V / (1 - b^t) may round up.
double SecondMoment::largestMagnitude(Dtype dtype) const { return 0.5 * std::sqrt(largestFinite(dtype)); }

}  // namespace schattor
