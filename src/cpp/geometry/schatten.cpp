#include "geometry/schatten.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/kernels.h"
#include "geometry/euclidean.h"
#include "geometry/svd_route.h"
#include "linalg/blas_threads.h"
#include "linalg/norms.h"
#include "linalg/spectral_norm.h"
#include "linalg/svd.h"

namespace schattor {
namespace {

// The proven largest singular value alone is cheaper than all of them where the smaller side is at least
// this.
constexpr Index lanczosFrom = 128;

}  // namespace

Schatten::Schatten(Value p, Options options) : p_(p), options_(options) {}

void Schatten::ownCheck(Shape shape) const { checkSvdShape(shape); }

bool Schatten::sharesWork(Shape shape, Dtype dtype) const {
    if (shape.smaller() < Team::worthwhile) return false;
    return std::ranges::any_of(
        routes(), [&](const Route& route) { return route.shares && mayTry(route, shape, dtype); });
}

double Schatten::dualNormBound(Shape shape) const {
    return std::sqrt(static_cast<double>(shape.smaller()) * static_cast<double>(shape.size()));
}

bool Schatten::mayTry(const Route& route, Shape shape, Dtype dtype) const {
    if (options_.route != nullptr) return options_.route == &route;
    return route.promises != nullptr && route.promises(shape, dtype, options_.rtol.value_or(0.0));
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

}  // namespace

template <class T>
OracleResult Schatten::byRoutes(const BallProblem<T>& problem, const RouteSet& tried) const {
    OracleResult result;
    for (std::size_t i = 0; i < routes().size(); ++i) {
        if (!tried[i]) continue;
        const Route& route = routes()[i];
        if (!route.serves(problem.shape, problem.e) || !route.run(problem, result)) {
            ++result.fallbacks;
            continue;
        }
        result.backend = {route.name};
        const Scaled attained = duality(problem.shape, problem.g, problem.d, *problem.arena);
        if (route.polar)
            result.dualNorm = attained;
        else
            result.residual =
                std::abs(1.0 - attained.relativeTo(result.dualNorm.exponent) / result.dualNorm.value);
        result.regularizedScale = result.dualNorm.full();
        break;
    }
    return result;
}

template <class T>
OracleResult Schatten::run(const OracleContext& c, Shape s, const T* g, T* d) const {
    const double p = p_.at(c.slots);
    if (options_.route == nullptr && (s.isVector() || p == 2.0)) return euclideanBall(c, s, g, d);
    const double largest = kernels::maxAbs(s.size(), g);
    if (largest == 0.0) {
        std::fill(d, d + s.size(), T(0));
        return {};
    }
    const SingleThreadedBlas single(s.smaller() < threadedBlasFrom);
    const double eps = machineEpsilon(dtypeOf<T>) * static_cast<double>(s.larger());
    BallProblem<T> problem{.shape = s,
                           .g = g,
                           .d = d,
                           .e = Exponents(p),
                           .cutoff = options_.rcond.value_or(eps),
                           .tie = 8.0 * eps,
                           .rtol = options_.rtol.value_or(0.0),
                           .arena = c.arena,
                           .team = s.smaller() >= Team::worthwhile ? c.team : nullptr,
                           .fits = &fits_,
                           .iteration = options_.iteration ? &*options_.iteration : nullptr};
    std::frexp(largest, &problem.exponent);
    OracleResult result =
        byRoutes(problem, options_.route != nullptr ? onlyRoute(*options_.route)
                                                    : chooseRoutes(s, dtypeOf<T>, problem.e, problem.rtol));
    if (c.measureOperatorNorm && options_.iteration)
        result.operatorNorm = norm(c, s, d, std::numeric_limits<double>::infinity()).full();
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
