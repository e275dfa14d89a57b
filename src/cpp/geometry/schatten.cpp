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
#include "linalg/svd.h"

namespace schattor {

Schatten::Schatten(Value p, Route route, std::optional<Iteration> iteration, double rcond)
    : p_(p), route_(route), iteration_(iteration), rcond_(rcond) {}

void Schatten::check(Shape shape) const { checkSvdShape(shape); }

double Schatten::dualNormBound(Shape shape) const {
    return std::sqrt(static_cast<double>(shape.smaller()) * static_cast<double>(shape.size()));
}

std::size_t Schatten::scratch(Shape shape, Dtype dtype) const {
    const bool single = dtype == Dtype::float32;
    const std::size_t svd = single ? svdScratch<float>(shape) : svdScratch<double>(shape);
    const std::size_t iteration =
        single ? newtonSchulzScratch<float>(shape) : newtonSchulzScratch<double>(shape);
    const auto k = static_cast<std::size_t>(shape.smaller());
    const std::size_t weights = single ? Arena::bytesFor<float>(k) : Arena::bytesFor<double>(k);
    return std::max(svd, route_ == Route::newtonSchulz ? iteration : 0) + weights;
}

template <class T>
OracleResult Schatten::bySvd(const OracleContext& c, Shape s, const T* g, T* d, double p) const {
    const ArenaFrame frame(*c.arena);
    const Index k = s.smaller();
    const double eps = machineEpsilon(dtypeOf<T>) * static_cast<double>(s.larger());
    const Svd<T> svd = thinSvd(s, g, *c.arena);
    const std::span<const T> sigma(svd.sigma, static_cast<std::size_t>(k));
    const std::span<T> f(c.arena->take<T>(static_cast<std::size_t>(k)), static_cast<std::size_t>(k));
    const Exponents e(p);
    ballWeights(sigma, e, rcond_ < 0.0 ? eps : rcond_, 8.0 * eps, f);

    const Index kept = std::find(f.begin(), f.end(), T(0)) - f.begin();
    view(svd.right, k, s.cols).topRows(kept).array().colwise() *= VectorView<T>(f.data(), kept).array();
    // D = -U diag(f) V'; in LAPACK's view D' = -(V f) U'.
    blas::gemm<T>('N', 'N', s.cols, s.rows, kept, T(-1), svd.right, s.cols, svd.left, k, T(0), d, s.cols);

    OracleResult result;
    result.backend = Backend::svd;
    result.fallbacks = svd.fallbacks;
    Scaled dual = powerNorm(sigma, e.q);
    dual.exponent += svd.exponent;
    result.dualNorm = dual;
    result.regularizedScale = dual.full();
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
    if (kernels::maxAbs(s.size(), g) == 0.0) {
        std::fill(d, d + s.size(), T(0));
        return {};
    }
    const double p = p_.at(c.slots);
    if (route_ == Route::automatic && (s.isVector() || p == 2.0)) return euclideanBall(s, g, d);
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
    if (kernels::maxAbs(s.size(), x) == 0.0) return {};
    if (s.isVector() || p == 2.0) return frobeniusNorm(s.size(), x);
    const SingleThreadedBlas single(s.smaller() < threadedBlasFrom);
    const ArenaFrame frame(*c.arena);
    const Svd<T> svd = singularValues(s, x, *c.arena);
    Scaled result = powerNorm(std::span<const T>(svd.sigma, static_cast<std::size_t>(s.smaller())), p);
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
