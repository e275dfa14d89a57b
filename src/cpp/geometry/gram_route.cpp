#include "geometry/gram_route.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "base/kernels.h"
#include "linalg/blas.h"

namespace schattor {
namespace {

struct Sizes {
    std::size_t block, gram, work, iwork, k;
};

Sizes sizes(Shape s) {
    const auto k = static_cast<std::size_t>(s.smaller());
    return {static_cast<std::size_t>(s.size()), k * k, 1 + 6 * k + 2 * k * k, 3 + 5 * k, k};
}

// Eigenvectors of the k x k matrix in u, ascending; false when LAPACK fails.
bool eigenvectors(Index k, double* u, const Sizes& n, Arena& arena) {
    const ArenaFrame frame(arena);
    double* lambda = arena.take<double>(n.k);
    double* work = arena.take<double>(n.work);
    int* iwork = arena.take<int>(n.iwork);
    return blas::syevd('L', k, u, k, lambda, work, static_cast<Index>(n.work), iwork,
                       static_cast<Index>(n.iwork)) == 0;
}

// W as it is stored: vector i starts at `jump * i` and has entries `step` apart.
struct Vectors {
    double* w;
    Index step, jump, length, count;
};

void norms(const Vectors& v, std::span<double> sigma) {
    std::fill(sigma.begin(), sigma.end(), 0.0);
    for (Index i = 0; i < v.count; ++i)
        for (Index j = 0; j < v.length; ++j) {
            const double x = v.w[i * v.jump + j * v.step];
            sigma[static_cast<std::size_t>(v.count - 1 - i)] += x * x;  // LAPACK's order is ascending
        }
    for (double& x : sigma) x = std::sqrt(x);
}

void scaleVectors(const Vectors& v, std::span<const double> sigma, std::span<const double> f) {
    for (Index i = 0; i < v.count; ++i) {
        const auto at = static_cast<std::size_t>(v.count - 1 - i);
        const double factor = f[at] > 0.0 ? f[at] / sigma[at] : 0.0;
        for (Index j = 0; j < v.length; ++j) v.w[i * v.jump + j * v.step] *= factor;
    }
}

template <class T>
const T* rounded(std::size_t n, const double* x, Arena& arena) {
    if constexpr (std::is_same_v<T, double>) {
        return x;
    } else {
        T* out = arena.take<T>(n);
        std::copy(x, x + n, out);
        return out;
    }
}

// The error of a singular direction through the Gram matrix is eps kappa^2, with kappa = sigma_1 / sigma_i,
// and so is what the ball may be left by. Float input has lost more accuracy by its own rounding, so only the
// ball counts there, and the singular values that do; for q >= 2 the small ones weigh nothing.
template <class T>
bool accurate(const BallProblem<T>& problem, std::span<const double> sigma) {
    double kappa = sigma.front() / sigma.back(), allowed = 5e-6;
    if (dtypeOf<T> == Dtype::float32) {
        if (problem.e.q >= 2.0) return true;
        for (const double x : sigma)
            if (x > problem.cutoff * sigma.front()) kappa = sigma.front() / x;
    } else {
        constexpr double ball = 2e-13;
        allowed = std::min(problem.rtol > 0.0 ? problem.rtol : problem.strictError(), ball);
    }
    return 4.0 * machineEpsilon(Dtype::float64) * kappa * kappa <= allowed;
}

}  // namespace

// With A = G G' = U diag(lambda) U' for a wide G (G' G for a tall one) the rows of W = U' G are sigma_i v_i',
// so that D = -U diag(f(sigma_i) / sigma_i) W. Their lengths give sigma_i better than lambda_i does.
template <class T>
bool ballByGram(const BallProblem<T>& problem, OracleResult& result) {
    const Shape s = problem.shape;
    Arena& arena = *problem.arena;
    const ArenaFrame frame(arena);
    const Sizes n = sizes(s);
    const Index k = s.smaller(), wide = s.larger();
    const bool tall = s.rows > s.cols;
    double* g = arena.take<double>(n.block);
    std::copy(problem.g, problem.g + s.size(), g);
    kernels::scaleByPowerOfTwo(s.size(), -problem.exponent, g, g);

    // LAPACK sees the transpose of G: n x m.
    double* u = arena.take<double>(n.gram);
    blas::syrk<double>('L', tall ? 'N' : 'T', k, wide, 1.0, g, s.cols, 0.0, u, k);
    if (!eigenvectors(k, u, n, arena)) return false;
    double* w = arena.take<double>(n.block);
    if (tall)
        blas::gemm<double>('T', 'N', k, wide, k, 1.0, u, k, g, k, 0.0, w, k);
    else
        blas::gemm<double>('N', 'N', wide, k, k, 1.0, g, wide, u, k, 0.0, w, wide);

    const Vectors rows{w, tall ? k : 1, tall ? 1 : wide, wide, k};
    const std::span<double> sigma(arena.take<double>(n.k), n.k), f(arena.take<double>(n.k), n.k);
    norms(rows, sigma);
    if (!accurate(problem, sigma)) return false;
    ballWeights(sigma, problem.e, problem.cutoff, problem.tie, f);
    scaleVectors(rows, sigma, f);
    const T* left = rounded<T>(n.gram, u, arena);
    const T* right = rounded<T>(n.block, w, arena);
    if (tall)
        blas::gemm<T>('N', 'N', k, wide, k, T(-1), left, k, right, k, T(0), problem.d, k);
    else
        blas::gemm<T>('N', 'T', wide, k, k, T(-1), right, wide, left, k, T(0), problem.d, wide);

    result.dualNorm = powerNorm(sigma, problem.e.q);
    result.dualNorm.exponent += problem.exponent;
    result.frobenius = std::sqrt(kernels::sumOfSquares(k, f.data()));
    return true;
}

bool gramPromises(Shape shape, Dtype dtype, double rtol) {
    if (dtype == Dtype::float32) return true;
    return rtol == 0.0 && shape.larger() >= 4 * shape.smaller() && shape.smaller() >= 8;
}

template bool ballByGram<float>(const BallProblem<float>&, OracleResult&);
template bool ballByGram<double>(const BallProblem<double>&, OracleResult&);

}  // namespace schattor
