#pragma once

#include "geometry/ball_problem.h"

namespace schattor {

/// The singular value decomposition in double; always succeeds.
template <class T>
bool ballBySvd(const BallProblem<T>&, OracleResult&);

}  // namespace schattor
