#include "geometry/euclidean.h"

#include <cmath>

#include "base/kernels.h"
#include "linalg/norms.h"

namespace schattor {

template <class T>
OracleResult euclideanBall(Shape shape, const T* g, T* d) {
    OracleResult result;
    result.backend = Backend::frobenius;
    result.dualNorm = frobeniusNorm(shape.size(), g);
    const Scaled norm = result.dualNorm.normalized();
    // The two scales must be normal numbers of the dtype: near the ends of its range d is brought half way
    // back.
    constexpr int half = std::numeric_limits<T>::max_exponent / 2;
    const int shift =
        std::abs(norm.exponent) <= 3 * half / 2 ? 0 : norm.exponent - (norm.exponent > 0 ? half : -half);
    if (shift == 0) {
        kernels::scale(shape.size(), -1.0, g, d);
    } else {
        kernels::scaleByPowerOfTwo(shape.size(), -shift, g, d);
        kernels::scale(shape.size(), -1.0, d, d);
    }
    result.frobenius = norm.relativeTo(shift);
    result.ballScale = result.frobenius > 0.0 ? 1.0 / result.frobenius : 0.0;
    result.regularizedScale = std::ldexp(1.0, shift);
    return result;
}

template OracleResult euclideanBall<float>(Shape, const float*, float*);
template OracleResult euclideanBall<double>(Shape, const double*, double*);

}  // namespace schattor
