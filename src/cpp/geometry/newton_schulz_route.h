#pragma once

#include "geometry/ball_problem.h"

namespace schattor {

/// The iteration that the problem names, whatever it reaches; else the adaptive one, to the requested
/// accuracy, and false where it needs too many steps.
template <class T>
bool ballByNewtonSchulz(const BallProblem<T>&, OracleResult&);
bool newtonSchulzPromises(Shape, Dtype, double rtol);

}  // namespace schattor
