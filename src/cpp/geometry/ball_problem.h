#pragma once

#include <cmath>

#include "base/team.h"
#include "geometry/geometry.h"
#include "linalg/newton_schulz.h"
#include "linalg/norms.h"
#include "linalg/rational.h"

namespace schattor {

/// The ball oracle of one matrix as the routes see it. The matrix is finite, not zero, and 2^exponent bounds
/// its entries from above within a factor of two.
template <class T>
struct BallProblem {
    Shape shape;
    const T* g = nullptr;
    T* d = nullptr;  ///< receives the ball direction
    int exponent = 0;
    Exponents e{2.0};
    double cutoff = 0.0;  ///< for q < 2 singular values up to cutoff * sigma_1 count as zero
    double tie = 0.0;     ///< at p = 1 singular values within `tie` of sigma_1, relatively, share the mass
    double rtol = 0.0;    ///< bound of the relative Frobenius error of D; 0 is strict
    Arena* arena = nullptr;
    const Team* team = nullptr;
    RationalFits* fits = nullptr;
    const Iteration* iteration = nullptr;  ///< the one that was asked for by name

    /// What strict promises without knowing the error of LAPACK's SVD.
    double strictError() const {
        return 4.0 * machineEpsilon(dtypeOf<T>) * std::sqrt(static_cast<double>(shape.smaller()));
    }
};

}  // namespace schattor
