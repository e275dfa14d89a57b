#pragma once

#include "base/types.h"
#include "linalg/norms.h"

namespace schattor {

/// The routes to try before the SVD, in this order.
struct Routes {
    bool band = false;
    bool gram = false;
};

/// The routes that `auto` takes: the cheapest that can be expected to be accurate enough, by shape, dtype,
/// exponent and requested accuracy (0: strict).
Routes chooseRoutes(Shape, Dtype, const Exponents&, double rtol);

}  // namespace schattor
