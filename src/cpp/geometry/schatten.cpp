#include "geometry/schatten.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/blas_threads.h"
#include "base/kernels.h"
#include "base/view.h"
#include "geometry/euclidean.h"
#include "linalg/blas.h"
#include "linalg/norms.h"
#include "linalg/spectral_norm.h"
#include "linalg/svd.h"

namespace schattor {
namespace {

// The proven largest singular value alone is cheaper than all of them where the smaller side is at least
// this.
constexpr Index lanczosFrom = 128;

}  // namespace

Schatten::Schatten(Value p, Route route, std::optional<Iteration> iteration, double rcond)
    : p_(p), route_(route), iteration_(iteration), rcond_(rcond) {}

void Schatten::check(Shape shape) const { checkSvdShape(shape); }

double Schatten::dualNormBound(Shape shape) const {
    return std::sqrt(static_cast<double>(shape.smaller()) * static_cast<double>(shape.size()));
}

std::size_t Schatten::scratch(Shape shape, Dtype dtype) const {
    if (route_ == Route::automatic && shape.isVector()) return 0;
    const bool single = dtype == Dtype::float32;
    const auto k = static_cast<std::size_t>(shape.smaller());
    std::size_t factors = Arena::bytesFor<double>(k);
    if (single)
        factors += Arena::bytesFor<float>(static_cast<std::size_t>(shape.rows) * k) +
                   Arena::bytesFor<float>(static_cast<std::size_t>(shape.cols) * k);
    const std::size_t iteration =
        single ? newtonSchulzScratch<float>(shape) : newtonSchulzScratch<double>(shape);
    const std::size_t largest = shape.smaller() < lanczosFrom ? 0 : spectralNormScratch(shape, dtype);
    return std::max(std::max(svdScratch(shape) + factors, largest),
                    route_ == Route::newtonSchulz ? iteration : 0);
}

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
OracleResult Schatten::bySvd(const OracleContext& c, Shape s, const T* g, T* d, double p) const {
    const ArenaFrame frame(*c.arena);
    const Index k = s.smaller();
    const double eps = machineEpsilon(dtypeOf<T>) * static_cast<double>(s.larger());
    const Svd svd = thinSvd(s, g, *c.arena);
    const std::span<const double> sigma(svd.sigma, static_cast<std::size_t>(k));
    const std::span<double> f(c.arena->take<double>(static_cast<std::size_t>(k)),
                              static_cast<std::size_t>(k));
    const Exponents e(p);
    ballWeights(sigma, e, rcond_ < 0.0 ? eps : rcond_, 8.0 * eps, f);

    const Index kept = std::find(f.begin(), f.end(), 0.0) - f.begin();
    view(svd.right, k, s.cols).topRows(kept).array().colwise() *= VectorView<double>(f.data(), kept).array();
    const T* left = factor<T>(s.rows * k, svd.left, *c.arena);
    const T* right = factor<T>(kept * s.cols, svd.right, *c.arena);
    // D = -U diag(f) V'; in LAPACK's view D' = -(V f) U'.
    blas::gemm<T>('N', 'N', s.cols, s.rows, kept, T(-1), right, s.cols, left, k, T(0), d, s.cols);

    OracleResult result;
    result.backend = Backend::svd;
    result.fallbacks = svd.fallbacks;
    result.dualNorm = powerNorm(sigma, e.q);
    result.dualNorm.exponent += svd.exponent;
    result.regularizedScale = result.dualNorm.full();
    result.frobenius = std::sqrt(kernels::sumOfSquares(k, f.data()));
    return result;
}

template <class T>
OracleResult Schatten::byIteration(const OracleContext& c, Shape s, const T* g, T* d) const {
    const ArenaFrame frame(*c.arena);
    OracleResult result;
    const Orthogonalized x = newtonSchulz(s, g, *iteration_, d, *c.arena);
    kernels::scale(s.size(), -1.0, d, d);
    result.backend = Backend::newtonSchulz;
    result.residual = x.residual;
    result.frobenius = x.frobenius;
    result.approximate = !iteration_->convergent();
    if (c.measureOperatorNorm)
        result.operatorNorm = norm(c, s, d, std::numeric_limits<double>::infinity()).full();
    return result;
}

// -<G, D> in scaled form, for G over the whole range of the dtype.
template <class T>
Scaled duality(Shape s, const T* g, const T* d, Arena& arena) {
    const ArenaFrame frame(arena);
    int exponent = 0;
    std::frexp(kernels::maxAbs(s.size(), g), &exponent);
    if (std::abs(exponent) < 400) return {-kernels::dot(s.size(), g, d), 0};
    T* scaled = arena.take<T>(static_cast<std::size_t>(s.size()));
    kernels::scaleByPowerOfTwo(s.size(), -exponent, g, scaled);
    return {-kernels::dot(s.size(), scaled, d), exponent};
}

template <class T>
OracleResult Schatten::run(const OracleContext& c, Shape s, const T* g, T* d) const {
    const double largest = kernels::maxAbs(s.size(), g);
    if (largest == 0.0) {
        std::fill(d, d + s.size(), T(0));
        return {};
    }
    const double p = p_.at(c.slots);
    if (route_ == Route::automatic && (s.isVector() || p == 2.0)) return euclideanBall(c, s, g, largest, d);
    const SingleThreadedBlas single(s.smaller() < threadedBlasFrom);
    if (route_ == Route::newtonSchulz) {
        OracleResult result = byIteration(c, s, g, d);
        result.dualNorm = duality(s, g, d, *c.arena);
        result.regularizedScale = result.dualNorm.full();
        return result;
    }
    OracleResult result = bySvd(c, s, g, d, p);
    const Scaled attained = duality(s, g, d, *c.arena);
    result.residual = std::abs(1.0 - attained.relativeTo(result.dualNorm.exponent) / result.dualNorm.value);
    return result;
}

template <class T>
Scaled Schatten::norm(const OracleContext& c, Shape s, const T* x, double p) const {
    const double largest = kernels::maxAbs(s.size(), x);
    if (largest == 0.0) return {};
    if (s.isVector() || p == 2.0) return frobeniusNorm(s.size(), x, largest);
    const SingleThreadedBlas single(s.smaller() < threadedBlasFrom);
    const ArenaFrame frame(*c.arena);
    if (std::isinf(p) && s.smaller() >= lanczosFrom) {
        const SpectralNorm top = spectralNorm(s, x, {}, nullptr, *c.arena);
        Scaled result = Scaled{top.value, 0}.normalized();
        result.exponent += top.exponent;
        return result;
    }
    const Svd svd = singularValues(s, x, *c.arena);
    Scaled result = powerNorm(std::span<const double>(svd.sigma, static_cast<std::size_t>(s.smaller())), p);
    result.exponent += svd.exponent;
    return result;
}

#define SCHATTOR_DEFINE(T)                                                                 \
    OracleResult Schatten::ball(const OracleContext& c, Shape s, const T* g, T* d) const { \
        return run(c, s, g, d);                                                            \
    }                                                                                      \
    Scaled Schatten::norm(const OracleContext& c, Shape s, const T* x) const {             \
        return norm(c, s, x, p_.at(c.slots));                                              \
    }                                                                                      \
    Scaled Schatten::dualNorm(const OracleContext& c, Shape s, const T* g) const {         \
        return norm(c, s, g, Exponents(p_.at(c.slots)).q);                                 \
    }
SCHATTOR_DEFINE(float)
SCHATTOR_DEFINE(double)

}  // namespace schattor
