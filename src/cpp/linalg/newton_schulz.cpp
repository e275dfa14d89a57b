#include "linalg/newton_schulz.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/kernels.h"
#include "linalg/adaptive_polar.h"
#include "linalg/norms.h"
#include "linalg/symmetric_iterate.h"
#include "linalg/symmetric_product.h"

namespace schattor {
namespace {

// x = g / max(factor ||g||_F, floor)
template <class T>
void normalize(Shape s, const T* g, double factor, double floor, T* x) {
    const double largest = kernels::maxAbs(s.size(), g);
    if (floor > 0.0 && factor * frobeniusNorm(s.size(), g).full() <= floor)
        return kernels::scale(s.size(), 1.0 / floor, g, x);
    int exponent = 0;
    std::frexp(largest, &exponent);
    if (std::abs(exponent) < 100) {  // neither the squares nor the quotient leave the range
        kernels::scale(s.size(), 1.0 / (factor * std::sqrt(kernels::sumOfSquares(s.size(), g))), g, x);
        return;
    }
    kernels::scaleByPowerOfTwo(s.size(), -exponent, g, x);
    kernels::scale(s.size(), 1.0 / (factor * std::sqrt(kernels::sumOfSquares(s.size(), x))), x, x);
}

// Deferred steps amplify the rounding errors of the Gram matrix as they amplify small singular values, by the
// product of the slopes at zero. Up to a slope of 20 the result is as accurate as without deferring for every
// coefficient set; up to 45, three of Muon's steps, its error is at most a few times larger in the spectral
// norm, and its entries are smaller the larger the matrix (measured; see docs/dev/decisions.md).
constexpr Index largeFrom = 64;
double largestSlope(Index k) { return k < largeFrom ? 20.0 : 45.0; }
// Where no eigenvalue of A is below the largest one over this, any number of steps may be deferred: the error
// of Q X is about eps/2 times this, in the spectral norm.
constexpr double safeSpread = 200.0;

int endOfGroup(const Iteration& iteration, Index k, int step) {
    double slope = std::abs(iteration.triple(step)[0]);
    for (++step; step < iteration.steps; ++step) {
        slope *= std::abs(iteration.triple(step)[0]);
        if (slope > largestSlope(k)) break;
    }
    return step;
}

// Proves by a Cholesky factorisation that lambda_min(A) >= lambda_max / safeSpread, with lambda_max from a
// few power steps.
template <class T>
bool wellConditioned(Index k, SymmetricIterate<T>& iterate, Arena& arena) {
    const ArenaFrame frame(arena);
    T* from = arena.take<T>(static_cast<std::size_t>(k));
    T* to = arena.take<T>(static_cast<std::size_t>(k));
    for (Index i = 0; i < k; ++i) from[i] = static_cast<T>(1.0 + 0.5 * std::sin(static_cast<double>(i * i)));
    double before = std::sqrt(kernels::sumOfSquares(k, from)), growth = 0.0;
    for (int i = 0; i < 4; ++i) {
        iterate.multiply(from, to);
        const double after = std::sqrt(kernels::sumOfSquares(k, to));
        growth = std::max(growth, after / before);
        before = after;
        std::swap(from, to);
    }
    return growth > 0.0 && iterate.cholesky(static_cast<T>(growth / safeSpread)) != nullptr;
}

template <class T>
void iterateInGroups(const Iteration& iteration, Shape shape, SymmetricIterate<T>& iterate, Arena& arena) {
    const Index k = shape.smaller();
    // The Gram matrix that deferred steps carry along is that of the result up to the error bound of
    // safeSpread, which is nothing beside the residual of a set that does not converge; the true one costs
    // n/(2 k) products.
    const bool carried = !iteration.convergent() && shape.larger() > 2 * k;
    for (int i = 0; i < iteration.steps;) {
        int end = endOfGroup(iteration, k, i);
        const bool safe = end < iteration.steps && k >= largeFrom && wellConditioned(k, iterate, arena);
        if (safe) end = iteration.steps;
        for (; i < end; ++i) iterate.step(iteration.triple(i), i + 1 < end || (safe && carried));
        if (safe && carried) iterate.applyDeferred();
    }
}

template <class T>
Orthogonalized measure(Index k, const T* gram, int steps) {
    const symmetric::Distance distance = symmetric::distance(k, gram);
    return {distance.fromIdentity / std::sqrt(static_cast<double>(k)),
            std::sqrt(std::max(0.0, distance.trace)), steps};
}

}  // namespace

Iteration makeIteration(std::string_view name, std::optional<int> steps, double rtol) {
    if (steps && *steps < 1)
        throw std::invalid_argument("steps must be at least 1, got " + std::to_string(*steps));
    if (name == "adaptive") return {nullptr, steps.value_or(adaptiveSteps), rtol};
    const CoefficientSet& set = coefficientSet(name);
    const int length = static_cast<int>(set.steps.size());
    if (steps && *steps > length && !set.repeatsLast)
        throw std::invalid_argument("coefficient set '" + std::string(name) + "' has " +
                                    std::to_string(length) + " steps, got steps=" + std::to_string(*steps));
    // The table outlives every iteration: nothing is owned.
    return {{std::shared_ptr<void>(), &set}, steps.value_or(set.defaultSteps), 0.0};
}

namespace {

struct OwnCoefficients {
    std::vector<Triple> steps;
    CoefficientSet set;
};

}  // namespace

Iteration makeIteration(std::vector<Triple> own, std::optional<int> steps) {
    if (own.empty()) throw std::invalid_argument("coefficients must hold at least one triple");
    const auto held = std::make_shared<OwnCoefficients>();
    held->steps = std::move(own);
    const int length = static_cast<int>(held->steps.size());
    held->set = {"own", held->steps, length, true, false, 1.0, ""};
    return {{held, &held->set}, steps.value_or(length), 0.0};
}

template <class T>
Orthogonalized newtonSchulz(Shape shape, const T* g, const Iteration& iteration, T* x, Arena& arena) {
    if (iteration.adaptive()) return adaptivePolar(shape, g, iteration.rtol, iteration.steps, x, arena);
    const ArenaFrame frame(arena);
    const Index k = shape.smaller();
    normalize(shape, g, iteration.set->normFactor, iteration.floor, x);
    SymmetricIterate<T> iterate(shape, x, arena);
    if (SymmetricIterate<T>::defers(shape))
        iterateInGroups(iteration, shape, iterate, arena);
    else
        for (int i = 0; i < iteration.steps; ++i) iterate.step(iteration.triple(i), false);
    iterate.finish();
    Orthogonalized result = measure(k, iterate.gram(), iteration.steps);
    result.reached = iteration.convergent() && iteration.floor == 0.0;
    return result;
}

template Orthogonalized newtonSchulz<float>(Shape, const float*, const Iteration&, float*, Arena&);
template Orthogonalized newtonSchulz<double>(Shape, const double*, const Iteration&, double*, Arena&);

}  // namespace schattor
