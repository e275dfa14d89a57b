#pragma once

#include "geometry/ball_problem.h"

namespace schattor {

/// Reduction to a band matrix and a rational function of it. False when it cannot promise the accuracy.
template <class T>
bool ballByBand(const BallProblem<T>&, OracleResult&);

/// Whether there is a rational function for this exponent: 4/3 <= p, and not 2.
bool bandServes(Shape, const Exponents&);
bool bandPromises(Shape, Dtype, double rtol);

}  // namespace schattor
