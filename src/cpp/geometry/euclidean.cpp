#include "geometry/euclidean.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "linalg/norms.h"

namespace schattor {

template <class T>
OracleResult euclideanBall(const OracleContext& context, Shape shape, const T* g, T* d) {
    OracleResult result;
    result.dualNorm = frobeniusNorm(shape.size(), g);
    if (result.dualNorm.isZero()) {
        std::fill(d, d + shape.size(), T(0));
        return result;
    }
    result.backend = Backend::frobenius;
    const Scaled norm = result.dualNorm.normalized();
    // The two scales must be normal numbers of the dtype: near the ends of its range d is brought half
    // way back.
    constexpr int half = std::numeric_limits<T>::max_exponent / 2;
    const bool inside = std::abs(norm.exponent) <= 3 * half / 2;
    const int shift = inside ? 0 : norm.exponent - (norm.exponent > 0 ? half : -half);
    result.inputIsDirection = inside && context.inputStays;
    const double sign = result.inputIsDirection ? -1.0 : 1.0;
    if (!inside) kernels::scaleByPowerOfTwo(shape.size(), -shift, g, d);
    if (!result.inputIsDirection) kernels::scale(shape.size(), -1.0, inside ? g : d, d);
    result.frobenius = norm.relativeTo(shift);
    result.ballScale = sign / result.frobenius;
    result.regularizedScale = sign * std::ldexp(1.0, shift);
    return result;
}

template OracleResult euclideanBall<float>(const OracleContext&, Shape, const float*, float*);
template OracleResult euclideanBall<double>(const OracleContext&, Shape, const double*, double*);

}  // namespace schattor
