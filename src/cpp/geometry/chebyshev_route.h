#pragma once

#include "geometry/ball_problem.h"

namespace schattor {

/// A polynomial of the Gram matrix of the smaller side, for well-conditioned wide and tall matrices. False
/// when it cannot promise the accuracy.
template <class T>
bool ballByChebyshev(const BallProblem<T>&, OracleResult&);

/// Whether there is such a polynomial: for matrices at least twice as long as wide, and 8/7 <= p, not 2.
bool chebyshevServes(Shape, const Exponents&);
/// Strict asks for better conditioned matrices, and longer ones are.
bool chebyshevPromises(Shape, Dtype, double rtol);

}  // namespace schattor
