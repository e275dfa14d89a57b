#pragma once

#include <limits>

#include "base/types.h"

namespace schattor {

/// The relative error of one operation in double.
inline constexpr double unitRoundoff = std::numeric_limits<double>::epsilon() / 2.0;

/// gamma_n = n u / (1 - n u), the relative error of a sum of n products (Higham, Accuracy and Stability,
/// section 3.1), doubled: this covers the few further roundings that each use has.
inline double gamma(Index n) {
    const double nu = static_cast<double>(n) * unitRoundoff;
    return 2.0 * nu / (1.0 - nu);
}

}  // namespace schattor
