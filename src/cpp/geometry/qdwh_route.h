#pragma once

#include "geometry/ball_problem.h"

namespace schattor {

/// Dynamically weighted Halley iterations. False where a singular value may count as zero.
template <class T>
bool ballByQdwh(const BallProblem<T>&, OracleResult&);

}  // namespace schattor
