#pragma once

#include "geometry/geometry.h"

namespace schattor {

/// The closed form that S_2, l_2 and every Schatten norm of a vector share: D = -G / ||G||_F.
/// Writes d = -G (scaled by a power of two near the ends of the dtype's range).
template <class T>
OracleResult euclideanBall(Shape shape, const T* g, T* d);

}  // namespace schattor
