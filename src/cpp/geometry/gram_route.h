#pragma once

#include "geometry/ball_problem.h"

namespace schattor {

/// Eigendecomposition of the Gram matrix of the smaller side, in double. False when it cannot promise the
/// accuracy.
template <class T>
bool ballByGram(const BallProblem<T>&, OracleResult&);

/// Squaring in double loses half of the digits: it is for single precision, and for matrices as well
/// conditioned as very wide ones are.
bool gramPromises(Shape, Dtype, double rtol);

}  // namespace schattor
