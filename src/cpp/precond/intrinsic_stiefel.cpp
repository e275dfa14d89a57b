#include "precond/intrinsic_stiefel.h"

#include <algorithm>
#include <cmath>

#include "geometry/polar_factor.h"
#include "linalg/smaller_side.h"

namespace schattor {

template <class T>
void IntrinsicStiefel::run(const Context<T>& c, const T* g, T* out) const {
    const Shape s = c.shape;
    const Index k = s.smaller(), size = s.size();
    if (size == 0) return;
    const ArenaFrame frame(*c.arena);
    const auto take = [&](Index n) { return c.arena->template take<T>(static_cast<std::size_t>(n)); };
    T *x = take(size), *product = take(k * k), *skew = take(k * k), *turn = take(k * k);
    const auto project = [&](T* normal) {  // normal <- normal - W W'normal
        smaller_side::cross(s, c.weights, normal, product);
        smaller_side::apply(s, T(-1), c.weights, product, T(1), normal);
    };
    const auto skewPart = [&](const T* from, T* to) {
        for (Index i = 0; i < k; ++i)
            for (Index j = 0; j < k; ++j) to[i * k + j] = (from[i * k + j] - from[j * k + i]) / 2;
    };
    const auto polar = [&](Shape shape, T* from, T* to, double norm) {
        if (negligible(s, shape.size(), from, norm)) std::fill(from, from + shape.size(), T(0));
        polarFactor(*polar_, c, shape, from, to);
    };
    const int exponent = kernels::exponentOf(size, g);
    kernels::scaleByPowerOfTwo(size, -exponent, g, x);
    const double norm = std::sqrt(kernels::sumOfSquares(size, x));
    project(x);
    skewPart(product, skew);
    polar(s, x, out, norm);
    project(out);  // rounding errors of x in the range of W may have become directions
    polar({k, k}, skew, turn, norm);
    skewPart(turn, skew);
    smaller_side::apply(s, T(1), c.weights, skew, T(1), out);
}

template void IntrinsicStiefel::run<float>(const Context<float>&, const float*, float*) const;
template void IntrinsicStiefel::run<double>(const Context<double>&, const double*, double*) const;

}  // namespace schattor
