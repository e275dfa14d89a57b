#include "geometry/svd_route.h"

#include <algorithm>

#include "base/kernels.h"
#include "base/view.h"
#include "linalg/blas.h"
#include "linalg/svd.h"

namespace schattor {
namespace {

// The factors of the SVD in the dtype of the block.
const double* rounded(Index, const double* x, double*) { return x; }
const float* rounded(Index n, const double* x, float* out) {
    std::copy(x, x + n, out);
    return out;
}

template <class T>
const T* factor(Index n, const double* x, Arena& arena) {
    return rounded(n, x, std::is_same_v<T, double> ? nullptr : arena.take<T>(static_cast<std::size_t>(n)));
}

}  // namespace

template <class T>
bool ballBySvd(const BallProblem<T>& problem, OracleResult& result) {
    const Shape s = problem.shape;
    Arena& arena = *problem.arena;
    const ArenaFrame frame(arena);
    const Index k = s.smaller();
    const Svd svd = thinSvd(s, problem.g, arena);
    const std::span<const double> sigma(svd.sigma, static_cast<std::size_t>(k));
    const std::span<double> f(arena.take<double>(static_cast<std::size_t>(k)), static_cast<std::size_t>(k));
    ballWeights(sigma, problem.e, problem.cutoff, problem.tie, f);

    const Index kept = std::find(f.begin(), f.end(), 0.0) - f.begin();
    view(svd.right, k, s.cols).topRows(kept).array().colwise() *= VectorView<double>(f.data(), kept).array();
    const T* left = factor<T>(s.rows * k, svd.left, arena);
    const T* right = factor<T>(kept * s.cols, svd.right, arena);
    // D = -U diag(f) V'; in LAPACK's view D' = -(V f) U'.
    blas::gemm<T>('N', 'N', s.cols, s.rows, kept, T(-1), right, s.cols, left, k, T(0), problem.d, s.cols);

    result.fallbacks += svd.fallbacks;
    result.dualNorm = powerNorm(sigma, problem.e.q);
    result.dualNorm.exponent += svd.exponent;
    result.frobenius = std::sqrt(kernels::sumOfSquares(k, f.data()));
    return true;
}

template bool ballBySvd<float>(const BallProblem<float>&, OracleResult&);
template bool ballBySvd<double>(const BallProblem<double>&, OracleResult&);

}  // namespace schattor
