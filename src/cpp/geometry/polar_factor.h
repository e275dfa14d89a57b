#pragma once

#include <cmath>

#include "base/kernels.h"
#include "geometry/geometry.h"

namespace schattor {

/// out = the polar factor of x by a spectral geometry: minus its ball direction. `out` is not x; zero
/// gives zero.
template <class T>
void polarFactor(const Geometry& spectral, const Context<T>& c, Shape shape, const T* x, T* out) {
    const OracleResult oracle = spectral.ball({c.slots, c.arena}, shape, x, out);
    kernels::scale(shape.size(), -oracle.ballScale, oracle.inputIsDirection ? x : out, out);
}

/// Whether x is at most what rounding leaves of a difference of matrices of this norm: max(m, n) eps of it,
/// the cutoff of singular values. Its polar factor would be noise of length one.
template <class T>
bool negligible(Shape shape, Index n, const T* x, double norm) {
    const double cutoff = static_cast<double>(shape.larger()) * machineEpsilon(dtypeOf<T>);
    return std::sqrt(kernels::sumOfSquares(n, x)) <= cutoff * norm;
}

}  // namespace schattor
