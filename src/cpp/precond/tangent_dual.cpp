#include "precond/tangent_dual.h"

#include <algorithm>
#include <cmath>

#include "geometry/polar_factor.h"
#include "linalg/smaller_side.h"

namespace schattor {
namespace {

// out = X + X'
template <class T>
void addTranspose(Index k, const T* x, T* out) {
    for (Index i = 0; i < k; ++i)
        for (Index j = 0; j < k; ++j) out[i * k + j] = x[i * k + j] + x[j * k + i];
}

}  // namespace

template <class T>
void TangentDual::run(const Context<T>& c, const T* g, T* x) const {
    const Shape s = c.shape;
    const Index k = s.smaller(), size = s.size();
    const double largest = kernels::maxAbs(size, g);
    if (largest == 0.0) {
        std::fill(x, x + size, T(0));
        return;
    }
    const ArenaFrame frame(*c.arena);
    const auto take = [&](Index n) { return c.arena->template take<T>(static_cast<std::size_t>(n)); };
    T *unit = take(size), *a = take(size), *product = take(k * k), *h = take(k * k), *dual = take(k * k);
    int exponent = 0;
    std::frexp(largest, &exponent);
    kernels::scaleByPowerOfTwo(size, -exponent, g, unit);
    kernels::scale(size, std::sqrt(static_cast<double>(k) / kernels::sumOfSquares(size, unit)), unit, unit);

    smaller_side::cross(s, c.weights, unit, product);
    addTranspose(k, product, dual);
    kernels::scale(k * k, -0.25, dual, dual);
    const auto entries = static_cast<double>(k * k);
    for (int t = 0; t < steps_; ++t) {
        std::copy(unit, unit + size, x);
        smaller_side::apply(s, T(2), c.weights, dual, T(1), x);
        if (negligible(s, size, x, std::sqrt(static_cast<double>(k)))) std::fill(x, x + size, T(0));
        if (t + 1 == steps_) break;
        polarFactor(*polar_, c, s, x, a);
        smaller_side::cross(s, c.weights, a, product);
        addTranspose(k, product, h);
        if (std::sqrt(kernels::sumOfSquares(k * k, h) / entries) < tolerance_) break;
        const double step = stepSize_ * (1.0 - static_cast<double>(t) / steps_);
        kernels::combine(k * k, 1.0, dual, -step, h, dual);
    }
}

template void TangentDual::run<float>(const Context<float>&, const float*, float*) const;
template void TangentDual::run<double>(const Context<double>&, const double*, double*) const;

}  // namespace schattor
