#pragma once

#include "geometry/geometry.h"

namespace schattor {

/// The closed form that S_2, l_2 and every Schatten norm of a vector share: D = -G / ||G||_F.
/// Writes d = -G, scaled by a power of two near the ends of the dtype's range; elsewhere it leaves
/// d alone where the input stays. Zero in, zero out.
template <class T>
OracleResult euclideanBall(const OracleContext& context, Shape shape, const T* g, T* d);

}  // namespace schattor
