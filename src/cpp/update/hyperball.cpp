#include "update/hyperball.h"

#include <cmath>

#include "base/kernels.h"
#include "linalg/norms.h"
#include "update/displacement.h"

namespace schattor {
namespace {

template <class T>
Scaled normOf(Index n, const T* x) {
    return frobeniusNorm(n, x).normalized();
}

// w += 2^exponent a x, where the factor itself may be no normal number of the dtype
template <class T>
void add(Index n, double a, int exponent, const T* x, T* w) {
    if (std::abs(exponent) < 60) return kernels::combine(n, 1.0, w, std::ldexp(a, exponent), x, w);
    for (Index i = 0; i < n; ++i) w[i] += static_cast<T>(a * std::ldexp(static_cast<double>(x[i]), exponent));
}

}  // namespace

template <class T>
Moved Hyperball::run(const Context<T>& c, double factor, const T* d, T* w) const {
    const Index n = c.size();
    double& radius = c.scalars[0];
    if (c.count == 0) radius = normOf(n, w).full();
    const Scaled length = normOf(n, d);
    const double step = factor == 0.0 || length.isZero() ? 0.0 : std::copysign(c.lr * radius, factor);
    if (step == 0.0) return {0.0};  // the weights stay to the last bit
    Displacement<T> displacement(c, w);
    add(n, step / length.value, -length.exponent, d, w);
    const Scaled norm = normOf(n, w);
    if (norm.isZero()) {  // against the weights and as long as they are: no point of the sphere is nearest
        add(n, -step / length.value, -length.exponent, d, w);
        return {0.0};
    }
    kernels::scale(n, radius / norm.full(), w, w);
    // The displacement that it was given does not matter but for its direction.
    return {std::abs(step / factor) / length.full(), displacement.norm(w)};
}

template Moved Hyperball::run<float>(const Context<float>&, double, const float*, float*) const;
template Moved Hyperball::run<double>(const Context<double>&, double, const double*, double*) const;

}  // namespace schattor
