#include "geometry/ky_fan.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "base/kernels.h"
#include "geometry/euclidean.h"
#include "linalg/blas.h"
#include "linalg/blas_threads.h"
#include "linalg/norms.h"
#include "linalg/subspace.h"
#include "linalg/svd.h"

namespace schattor {
namespace {

// Triples that the subspace route computes. It sees no ties beyond the cut, and needs none: any k of tied
// vectors attain the dual norm.
Index wanted(Shape s, Index k) { return std::min(k, s.smaller()); }

std::span<double> take(Arena& arena, Index count) {
    return {arena.take<double>(static_cast<std::size_t>(count)), static_cast<std::size_t>(count)};
}

// What the oracle reads of an SVD: row i of `left` and `right` (of length m and n) is u_i and v_i.
struct Triples {
    std::span<const double> sigma;
    const double* left;
    const double* right;
    bool leftTransposed;  ///< left is m x count instead
};

const double* inDtype(Index, const double* x, Arena&, double*) { return x; }
const float* inDtype(Index n, const double* x, Arena& arena, float*) {
    float* copy = arena.take<float>(static_cast<std::size_t>(n));
    std::copy(x, x + n, copy);
    return copy;
}

// d = -sum_i f_i u_i v_i'; scales the first rows of `right`.
template <class T>
void combine(Shape s, const Triples& t, double* right, std::span<const double> f, T* d, Arena& arena) {
    const Index count = static_cast<Index>(f.size());
    const Index kept = std::find(f.begin(), f.end(), 0.0) - f.begin();
    for (Index i = 0; i < kept; ++i)
        kernels::scale(s.cols, f[static_cast<std::size_t>(i)], right + i * s.cols, right + i * s.cols);
    const T* u = inDtype(count * s.rows, t.left, arena, d);
    const T* v = inDtype(kept * s.cols, right, arena, d);
    // In LAPACK's view D' = -(V f) U'.
    blas::gemm<T>('N', t.leftTransposed ? 'N' : 'T', s.cols, s.rows, kept, T(-1), v, s.cols, u,
                  t.leftTransposed ? count : s.rows, T(0), d, s.cols);
}

Scaled sumOf(std::span<const double> sigma, Index k, int exponent) {
    const auto last = sigma.begin() + std::min<Index>(k, static_cast<Index>(sigma.size()));
    Scaled sum = Scaled{std::accumulate(sigma.begin(), last, 0.0), 0}.normalized();
    sum.exponent += exponent;
    return sum;
}

// -<G, D> over the dual norm, for G over the whole range of the dtype.
template <class T>
double attained(Shape s, const T* g, const T* d, const Scaled& dualNorm, Arena& arena) {
    const ArenaFrame frame(arena);
    const int exponent = kernels::exponentOf(s.size(), g);
    T* scaled = arena.take<T>(static_cast<std::size_t>(s.size()));
    kernels::scaleByPowerOfTwo(s.size(), -exponent, g, scaled);
    return -kernels::dot(s.size(), scaled, d) / dualNorm.relativeTo(exponent);
}

}  // namespace

void kyFanWeights(std::span<const double> sigma, Index k, double cutoff, double tie, std::span<double> f) {
    std::fill(f.begin(), f.end(), 0.0);
    const auto cut = static_cast<std::size_t>(std::min<Index>(k, static_cast<Index>(sigma.size())));
    const double last = sigma[cut - 1];
    const auto isLive = [&](double s) { return s > cutoff * sigma[0]; };
    if (!isLive(last)) {
        // Fewer than k values count: each has its full weight.
        std::transform(sigma.begin(), sigma.end(), f.begin(),
                       [&](double s) { return isLive(s) ? 1.0 : 0.0; });
        return;
    }
    std::size_t above = 0, end = cut;
    while (above < cut && sigma[above] * (1.0 - tie) > last) ++above;
    while (end < sigma.size() && sigma[end] >= last * (1.0 - tie)) ++end;
    std::fill_n(f.begin(), above, 1.0);
    std::fill(f.begin() + static_cast<std::ptrdiff_t>(above), f.begin() + static_cast<std::ptrdiff_t>(end),
              static_cast<double>(cut - above) / static_cast<double>(end - above));
}

KyFan::KyFan(Index k, Route route, std::optional<double> rtol, std::uint64_t seed)
    : k_(k), route_(route), rtol_(rtol), seed_(seed) {
    if (k < 1) throw std::invalid_argument("k must be at least 1, got " + std::to_string(k));
}

void KyFan::ownCheck(Shape shape) const { checkSvdShape(shape); }

double KyFan::dualNormBound(Shape s) const {
    return std::sqrt(static_cast<double>(std::min(k_, s.smaller())) * static_cast<double>(s.size()));
}

template <class T>
OracleResult KyFan::bySvd(const OracleContext& c, Shape s, const T* g, T* d) const {
    const ArenaFrame frame(*c.arena);
    const double eps = machineEpsilon(dtypeOf<T>) * static_cast<double>(s.larger());
    const Svd svd = thinSvd(s, g, *c.arena);
    const std::span<const double> sigma(svd.sigma, static_cast<std::size_t>(s.smaller()));
    const std::span<double> f = take(*c.arena, s.smaller());
    kyFanWeights(sigma, k_, eps, 8.0 * eps, f);
    combine(s, {sigma, svd.left, svd.right, true}, svd.right, f, d, *c.arena);
    OracleResult result;
    result.backend = Backend::svd;
    result.fallbacks = svd.fallbacks;
    result.dualNorm = sumOf(sigma, k_, svd.exponent);
    result.frobenius = std::sqrt(kernels::sumOfSquares(s.smaller(), f.data()));
    result.residual = std::abs(1.0 - attained(s, g, d, result.dualNorm, *c.arena));
    return result;
}

template <class T>
OracleResult KyFan::bySubspace(const OracleContext& c, Shape s, const T* g, T* d) const {
    const ArenaFrame frame(*c.arena);
    const double eps = machineEpsilon(dtypeOf<T>) * static_cast<double>(s.larger());
    const Index count = wanted(s, k_);
    SubspaceOptions options;
    options.rtol = rtol_.value_or(sizeof(T) == sizeof(float) ? 1e-6 : 1e-10);
    options.seed = seed_;
    const TopSingular top = topSingular(s, g, count, options, *c.arena);
    const std::span<const double> sigma(top.sigma, static_cast<std::size_t>(count));
    const std::span<double> f = take(*c.arena, count);
    kyFanWeights(sigma, k_, eps, 8.0 * eps, f);
    combine(s, {sigma, top.left, top.right, false}, top.right, f, d, *c.arena);
    OracleResult result;
    result.backend = top.dense ? Backend::svd : Backend::subspace;
    result.fallbacks = top.fallbacks;
    result.approximate = !top.dense;
    result.dualNorm = sumOf(sigma, k_, top.exponent);
    result.frobenius = std::sqrt(kernels::sumOfSquares(count, f.data()));
    result.residual = top.residual;
    return result;
}

template <class T>
OracleResult KyFan::run(const OracleContext& c, Shape s, const T* g, T* d) const {
    if (s.isVector()) return euclideanBall(c, s, g, d);
    if (kernels::maxAbs(s.size(), g) == 0.0) {
        std::fill(d, d + s.size(), T(0));
        return {};
    }
    const SingleThreadedBlas single(s.smaller() < threadedBlasFrom);
    OracleResult result = route_ == Route::subspace ? bySubspace(c, s, g, d) : bySvd(c, s, g, d);
    result.regularizedScale = result.dualNorm.full();
    return result;
}

template <class T>
Scaled KyFan::norm(const OracleContext& c, Shape s, const T* x, bool dual) const {
    if (s.isVector()) return frobeniusNorm(s.size(), x);
    if (kernels::maxAbs(s.size(), x) == 0.0) return {};
    const SingleThreadedBlas single(s.smaller() < threadedBlasFrom);
    const ArenaFrame frame(*c.arena);
    const Svd svd = singularValues(s, x, *c.arena);
    const std::span<const double> sigma(svd.sigma, static_cast<std::size_t>(s.smaller()));
    if (dual) return sumOf(sigma, k_, svd.exponent);
    const double k = static_cast<double>(std::min(k_, s.smaller()));
    const double nuclear = std::accumulate(sigma.begin(), sigma.end(), 0.0);
    Scaled result = Scaled{std::max(sigma[0], nuclear / k), 0}.normalized();
    result.exponent += svd.exponent;
    return result;
}

#define SCHATTOR_DEFINE(T)                                                                                 \
    OracleResult KyFan::ball(const OracleContext& c, Shape s, const T* g, T* d) const {                    \
        return run(c, s, g, d);                                                                            \
    }                                                                                                      \
    Scaled KyFan::norm(const OracleContext& c, Shape s, const T* x) const { return norm(c, s, x, false); } \
    Scaled KyFan::dualNorm(const OracleContext& c, Shape s, const T* g) const { return norm(c, s, g, true); }
SCHATTOR_DEFINE(float)
SCHATTOR_DEFINE(double)

}  // namespace schattor
