#pragma once

#include <cmath>

#include "base/team.h"
#include "geometry/geometry.h"
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

    /// What strict promises without knowing the error of LAPACK's SVD.
    double strictError() const {
        return 4.0 * machineEpsilon(dtypeOf<T>) * std::sqrt(static_cast<double>(shape.smaller()));
    }
};

/// The singular value decomposition in double; always succeeds.
template <class T>
OracleResult ballBySvd(const BallProblem<T>&);

/// Eigendecomposition of the Gram matrix of the smaller side, in double. False when it cannot promise the
/// accuracy.
template <class T>
bool ballByGram(const BallProblem<T>&, OracleResult&);

/// Reduction to a band matrix and a rational function of it. False when it cannot promise the accuracy.
template <class T>
bool ballByBand(const BallProblem<T>&, OracleResult&);
/// A polynomial of the Gram matrix of the smaller side, for well-conditioned wide and tall matrices. False
/// when it cannot promise the accuracy.
template <class T>
bool ballByChebyshev(const BallProblem<T>&, OracleResult&);
/// Whether a matrix of this shape may be well conditioned: it is at least twice as long as wide.
bool chebyshevShape(Shape);
/// Whether there is such a polynomial: for the shape, and 8/7 <= p, not 2.
bool chebyshevServes(Shape, const Exponents&);

/// Whether the band route has a rational function for this exponent: 4/3 <= p, and not 2.
bool bandServes(const Exponents&);

}  // namespace schattor
