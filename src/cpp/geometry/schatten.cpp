#include "geometry/schatten.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/blas_threads.h"
#include "base/kernels.h"
#include "geometry/ball_problem.h"
#include "geometry/choose_routes.h"
#include "geometry/euclidean.h"
#include "linalg/adaptive_polar.h"
#include "linalg/norms.h"
#include "linalg/qdwh.h"
#include "linalg/spectral_norm.h"
#include "linalg/svd.h"

namespace schattor {
namespace {

// The proven largest singular value alone is cheaper than all of them where the smaller side is at least
// this.
constexpr Index lanczosFrom = 128;

}  // namespace

Schatten::Schatten(Value p, Route route, std::optional<Iteration> iteration, double rcond, double rtol)
    : p_(p), route_(route), iteration_(iteration), rcond_(rcond), rtol_(rtol) {}

void Schatten::ownCheck(Shape shape) const { checkSvdShape(shape); }

bool Schatten::sharesWork(Shape shape, Dtype dtype) const {
    if (shape.smaller() < Team::worthwhile) return false;
    return route_ == Route::band || (route_ == Route::automatic && (dtype == Dtype::float32 || rtol_ > 0.0));
}

double Schatten::dualNormBound(Shape shape) const {
    return std::sqrt(static_cast<double>(shape.smaller()) * static_cast<double>(shape.size()));
}

namespace {

// -<G, D> in scaled form, for G over the whole range of the dtype.
template <class T>
Scaled duality(Shape s, const T* g, const T* d, Arena& arena) {
    const ArenaFrame frame(arena);
    const int exponent = kernels::exponentOf(s.size(), g);
    if (std::abs(exponent) < 400) return {-kernels::dot(s.size(), g, d), 0};
    T* scaled = arena.take<T>(static_cast<std::size_t>(s.size()));
    kernels::scaleByPowerOfTwo(s.size(), -exponent, g, scaled);
    return {-kernels::dot(s.size(), scaled, d), exponent};
}

// Turns a polar factor into the direction.
template <class T>
OracleResult iterated(const Orthogonalized& x, Shape s, T* d) {
    kernels::scale(s.size(), -1.0, d, d);
    OracleResult result;
    result.backend = Backend::newtonSchulz;
    result.residual = x.residual;
    result.frobenius = x.frobenius;
    result.iterations = x.steps;
    result.approximate = !x.reached;
    return result;
}

Routes only(Schatten::Route route) {
    Routes routes;
    routes.chebyshev = route == Schatten::Route::chebyshev;
    routes.band = route == Schatten::Route::band;
    routes.gram = route == Schatten::Route::gram;
    return routes;
}

}  // namespace

// Each route that is tried falls back to the next one; the SVD always succeeds.
template <class T>
OracleResult Schatten::exact(const OracleContext& c, Shape s, const T* g, T* d, double p,
                             double largest) const {
    const double eps = machineEpsilon(dtypeOf<T>) * static_cast<double>(s.larger());
    BallProblem<T> problem{s, g, d, 0, Exponents(p), rcond_ < 0.0 ? eps : rcond_, 8.0 * eps, rtol_};
    std::frexp(largest, &problem.exponent);
    problem.arena = c.arena;
    if (s.smaller() >= Team::worthwhile) problem.team = c.team;
    problem.fits = &fits_;
    const Routes routes =
        route_ == Route::automatic ? chooseRoutes(s, dtypeOf<T>, problem.e, rtol_) : only(route_);
    OracleResult result;
    if (routes.chebyshev) {
        if (chebyshevServes(s, problem.e) && ballByChebyshev(problem, result)) return result;
        ++result.fallbacks;
    }
    if (routes.polar) {
        const ArenaFrame frame(*c.arena);
        const Orthogonalized x = adaptivePolar(s, g, 0.5 * rtol_, mostPolarSteps, d, *c.arena);
        if (x.reached) {
            result = iterated(x, s, d);
            result.dualNorm = duality(s, g, d, *c.arena);
            return result;
        }
        ++result.fallbacks;
    }
    if (routes.band && bandServes(problem.e)) {
        const SingleThreadedBlas single(problem.team != nullptr);
        if (ballByBand(problem, result)) return result;
        ++result.fallbacks;
    }
    if (route_ == Route::band && !bandServes(problem.e)) ++result.fallbacks;
    if (routes.gram) {
        if (ballByGram(problem, result)) return result;
        ++result.fallbacks;
    }
    const int before = result.fallbacks;
    result = ballBySvd(problem);
    result.fallbacks += before;
    return result;
}

template <class T>
OracleResult Schatten::byIteration(const OracleContext& c, Shape s, const T* g, T* d) const {
    const ArenaFrame frame(*c.arena);
    OracleResult result = iterated(newtonSchulz(s, g, *iteration_, d, *c.arena), s, d);
    if (c.measureOperatorNorm)
        result.operatorNorm = norm(c, s, d, std::numeric_limits<double>::infinity()).full();
    return result;
}

template <class T>
bool Schatten::byQdwh(const OracleContext& c, Shape s, const T* g, T* d, OracleResult& result) const {
    const ArenaFrame frame(*c.arena);
    const QdwhResult x = polarQdwh(s, g, d, *c.arena);
    if (!x.succeeded) return false;
    kernels::scale(s.size(), -1.0, d, d);
    result.backend = Backend::qdwh;
    result.residual = x.residual;
    result.frobenius = x.frobenius;
    result.iterations = x.iterations;
    return true;
}

template <class T>
OracleResult Schatten::run(const OracleContext& c, Shape s, const T* g, T* d) const {
    const double p = p_.at(c.slots);
    if (route_ == Route::automatic && (s.isVector() || p == 2.0)) return euclideanBall(c, s, g, d);
    const double largest = kernels::maxAbs(s.size(), g);
    if (largest == 0.0) {
        std::fill(d, d + s.size(), T(0));
        return {};
    }
    const SingleThreadedBlas single(s.smaller() < threadedBlasFrom);
    OracleResult polar;
    const bool halley = route_ == Route::qdwh && byQdwh(c, s, g, d, polar);
    if (route_ == Route::newtonSchulz || halley) {
        OracleResult result = halley ? polar : byIteration(c, s, g, d);
        result.dualNorm = duality(s, g, d, *c.arena);
        result.regularizedScale = result.dualNorm.full();
        return result;
    }
    OracleResult result = exact(c, s, g, d, p, largest);
    result.regularizedScale = result.dualNorm.full();
    if (route_ == Route::qdwh) ++result.fallbacks;
    if (result.backend == Backend::newtonSchulz) return result;
    const Scaled attained = duality(s, g, d, *c.arena);
    result.residual = std::abs(1.0 - attained.relativeTo(result.dualNorm.exponent) / result.dualNorm.value);
    return result;
}

template <class T>
Scaled Schatten::norm(const OracleContext& c, Shape s, const T* x, double p) const {
    if (s.isVector() || p == 2.0) return frobeniusNorm(s.size(), x);
    const double largest = kernels::maxAbs(s.size(), x);
    if (largest == 0.0) return {};
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
