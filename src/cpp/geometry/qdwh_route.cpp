#include "geometry/qdwh_route.h"

#include "base/kernels.h"
#include "linalg/qdwh.h"

namespace schattor {

template <class T>
bool ballByQdwh(const BallProblem<T>& problem, OracleResult& result) {
    const ArenaFrame frame(*problem.arena);
    const Shape s = problem.shape;
    const QdwhResult x = polarQdwh(s, problem.g, problem.d, *problem.arena);
    if (!x.succeeded) return false;
    kernels::scale(s.size(), -1.0, problem.d, problem.d);
    result.residual = x.residual;
    result.frobenius = x.frobenius;
    result.iterations = x.iterations;
    return true;
}

template bool ballByQdwh<float>(const BallProblem<float>&, OracleResult&);
template bool ballByQdwh<double>(const BallProblem<double>&, OracleResult&);

}  // namespace schattor
