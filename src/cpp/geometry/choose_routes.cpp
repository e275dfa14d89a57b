#include "geometry/choose_routes.h"

namespace schattor {

Routes chooseRoutes(Shape shape, Dtype dtype, const Exponents&, double rtol) {
    if (dtype == Dtype::float32) return {true, true};
    if (rtol > 0.0) return {true, false};
    // Squaring in double loses half of the digits: only for matrices as well conditioned as very wide ones
    // are.
    return {false, shape.larger() >= 4 * shape.smaller()};
}

}  // namespace schattor
