#include "geometry/newton_schulz_route.h"

#include "base/kernels.h"

namespace schattor {
namespace {

// Below this the rounding errors of the iteration, eps kappa, are too near to what is asked for.
constexpr double leastAccuracy = 1e-3;
// As many steps as condition numbers of about a thousand need. More could raise singular values to one that
// count as zero.
constexpr int mostSteps = 5;

}  // namespace

template <class T>
bool ballByNewtonSchulz(const BallProblem<T>& problem, OracleResult& result) {
    const ArenaFrame frame(*problem.arena);
    const Shape s = problem.shape;
    const bool asked = problem.iteration != nullptr;
    const Iteration iteration =
        asked ? *problem.iteration : Iteration{nullptr, mostSteps, 0.5 * problem.rtol};
    const Orthogonalized x = newtonSchulz(s, problem.g, iteration, problem.d, *problem.arena);
    if (!asked && !x.reached) return false;
    kernels::scale(s.size(), -1.0, problem.d, problem.d);
    result.residual = x.residual;
    result.frobenius = x.frobenius;
    result.iterations = x.steps;
    result.approximate = !x.reached;
    return true;
}

bool newtonSchulzPromises(Shape shape, Dtype, double rtol) {
    return rtol >= leastAccuracy && shape.larger() >= 2 * shape.smaller();
}

template bool ballByNewtonSchulz<float>(const BallProblem<float>&, OracleResult&);
template bool ballByNewtonSchulz<double>(const BallProblem<double>&, OracleResult&);

}  // namespace schattor
