#include "linalg/adaptive_polar.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/kernels.h"
#include "linalg/blas.h"
#include "linalg/symmetric_iterate.h"
#include "linalg/symmetric_product.h"

namespace schattor {
namespace {

// Below this ||I - A||_F bounds the singular values.
constexpr double provesFrom = 0.99;

/// What is known of the singular values of the iterate that count, those above max(m, n) eps sigma_1 at the
/// start.
struct Interval {
    double upper = 0.0;  ///< proven
    double floor = 0.0;  ///< proven lower bound
    double lower = 0.0;  ///< the lower bound in use: an estimate once it is `measured`, else the floor
    bool measured = false;

    void useFloor() {
        lower = floor;
        measured = false;
    }
    void advance(const Triple& t, double least, double most) {
        floor = std::min(least, floor * (t[0] + floor * floor * (t[1] + floor * floor * t[2])));
        lower = least;
        upper = most;
    }
};

// An upper bound of the largest singular value, from the Schatten-8 norm: ||A^2||_F^(1/4), at most k^(1/8)
// too large.
template <class T>
double upperBound(Index k, SymmetricIterate<T>& iterate) {
    const T* square = iterate.square();
    double sum = 0.0;
    for (Index j = 0; j < k; ++j) {
        const auto entry = static_cast<double>(square[j * k + j]);
        sum += entry * entry + 2.0 * kernels::sumOfSquares(k - j - 1, square + j * k + j + 1);
    }
    return std::pow(sum, 0.125);
}

// The smallest singular value by inverse power iteration with the Cholesky factor of A, halved as that comes
// from above. Zero where A is singular to rounding.
template <class T>
double lowerEstimate(Index k, double upper, SymmetricIterate<T>& iterate, Arena& arena) {
    const T* factor = iterate.cholesky(T(0));
    if (factor == nullptr) return 0.0;
    const ArenaFrame frame(arena);
    T* v = arena.take<T>(static_cast<std::size_t>(k));
    for (Index i = 0; i < k; ++i) v[i] = static_cast<T>(1.0 + 0.5 * std::sin(static_cast<double>(i * i)));
    double inverse = 0.0;
    for (int i = 0; i < 4; ++i) {
        kernels::scale(k, 1.0 / std::sqrt(kernels::sumOfSquares(k, v)), v, v);
        blas::trsm<T>('L', 'L', 'N', 'N', k, 1, T(1), factor, k, v, k);
        blas::trsm<T>('L', 'L', 'T', 'N', k, 1, T(1), factor, k, v, k);
        const double growth = std::sqrt(kernels::sumOfSquares(k, v));
        if (!std::isfinite(growth)) return 0.0;
        inverse = std::max(inverse, growth);
    }
    // Eigenvalues of A below its rounding errors are noise.
    const double noise = 32.0 * machineEpsilon(dtypeOf<T>) * upper * upper;
    return 1.0 / inverse > noise ? 0.5 / std::sqrt(inverse) : 0.0;
}

// Replaces the floor by an estimate where that is larger. A smaller one comes from singular values that do
// not count.
template <class T>
void findLower(Index k, SymmetricIterate<T>& iterate, Interval& interval, Arena& arena) {
    const double found = lowerEstimate(k, interval.upper, iterate, arena);
    if (found <= interval.floor) return;
    interval.lower = std::min(found, interval.upper);
    interval.measured = true;
}

// What ||I - A||_F proves, if it is below one.
void tighten(double distance, Interval& interval) {
    if (distance >= provesFrom) return;
    interval.upper = std::min(interval.upper, std::sqrt(1.0 + distance));
    interval.floor = std::max(interval.floor, std::sqrt(1.0 - distance));
    interval.lower = std::max(interval.lower, interval.floor);
    interval.measured = true;
}

/// The next step. The last one is divided by its largest value, so that no singular value ends above one.
struct Chosen {
    Triple triple;
    bool last;
};
Chosen chooseStep(double rtol, bool mustEnd, double roundingMargin, Interval& interval) {
    auto [triple, error] = minimaxQuintic(interval.lower, interval.upper * roundingMargin);
    const double most = 1.0 + error;
    const bool last = mustEnd || 4.0 * error <= rtol;  // |1 - sigma^2| <= 4 error after the division
    if (last)
        for (double& coefficient : triple) coefficient /= most;
    interval.advance(triple, last ? (1.0 - error) / most : 1.0 - error, last ? 1.0 : most);
    return {triple, last};
}

}  // namespace

template <class T>
Orthogonalized adaptivePolar(Shape shape, const T* g, double rtol, int maxSteps, T* x, Arena& arena) {
    const ArenaFrame frame(arena);
    const Index k = shape.smaller();
    const double eps = machineEpsilon(dtypeOf<T>);
    const int exponent = kernels::exponentOf(shape.size(), g);
    kernels::scaleByPowerOfTwo(shape.size(), -exponent, g, x);
    SymmetricIterate<T> iterate(shape, x, arena);
    Interval interval;
    interval.upper = upperBound(k, iterate);
    interval.floor =
        eps * static_cast<double>(shape.larger()) * interval.upper / std::pow(static_cast<double>(k), 0.125);
    interval.useFloor();

    Orthogonalized result;
    result.residual = std::numeric_limits<double>::infinity();
    bool deferred = false, done = false;
    while (!done && result.steps < maxSteps) {
        if (!interval.measured && result.steps % 2 == 0) findLower(k, iterate, interval, arena);
        const double margin = 1.0 + 4.0 * std::sqrt(eps);
        const Chosen next = chooseStep(rtol, result.steps + 1 == maxSteps, margin, interval);
        deferred = SymmetricIterate<T>::defers(shape) && !deferred && !next.last;
        iterate.step(next.triple, deferred);
        ++result.steps;
        const double distance = symmetric::distance(k, iterate.gram()).fromIdentity;
        tighten(distance, interval);
        if (!next.last) continue;

        const double before = result.residual;
        result.residual = distance / std::sqrt(static_cast<double>(k));
        result.reached = result.residual <= rtol;
        // Short of it, either rounding is all that is left, or the estimate was wrong, or there is what does
        // not count.
        done =
            result.reached || (distance < provesFrom ? result.residual > 0.5 * before : !interval.measured);
        if (!done && distance >= provesFrom) interval.useFloor();
    }
    iterate.finish();
    result.frobenius = std::sqrt(std::max(0.0, symmetric::distance(k, iterate.gram()).trace));
    return result;
}

template Orthogonalized adaptivePolar<float>(Shape, const float*, double, int, float*, Arena&);
template Orthogonalized adaptivePolar<double>(Shape, const double*, double, int, double*, Arena&);

}  // namespace schattor
