#include "geometry/chebyshev_route.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "base/kernels.h"
#include "linalg/blas.h"
#include "linalg/chebyshev.h"
#include "linalg/spectrum.h"
#include "linalg/symmetric_product.h"

namespace schattor {
namespace {

// Beyond this ratio of the largest eigenvalue to the smallest the polynomials get long.
constexpr double widest = 200.0;
// Matrices in single precision serve down to this accuracy.
constexpr double singleServes = 1e-4;
// Entries below 2^30 and above 2^-30 can be squared and summed in single precision.
constexpr int safeExponent = 30;
// Columns of X that are turned into doubles at a time.
constexpr Index panel = 256;
constexpr Index mostMatrices = ChebyshevMatrix<double>::roomFor(ChebyshevPower::mostDegree);

std::size_t entries(Index n) { return static_cast<std::size_t>(n); }

// X in the arithmetic of the Gram matrix: A = X X' on the smaller side.
template <class T, class W>
void formGram(Shape s, const T* x, W* a, Arena& arena) {
    const Index k = s.smaller();
    if constexpr (std::is_same_v<T, W>) {
        symmetric::gram(s, x, a);
    } else {
        const ArenaFrame frame(arena);
        W* part = arena.take<W>(entries(k * panel));
        const bool wide = s.rows <= s.cols;
        for (Index begin = 0; begin < s.larger(); begin += panel) {
            const Index count = std::min(panel, s.larger() - begin);
            if (wide)
                for (Index i = 0; i < k; ++i) std::copy_n(x + i * s.cols + begin, count, part + i * count);
            else
                std::copy_n(x + begin * k, count * k, part);
            const Index ld = wide ? count : k;
            const char first = wide ? 'T' : 'N', second = wide ? 'N' : 'T';
            blas::gemmt<W>('L', first, second, k, count, W(1), part, ld, part, ld, W(begin > 0 ? 1 : 0), a,
                           k);
        }
    }
    symmetric::mirror(k, a);
}

// The error of forming A and F in rounding errors of eps, relative to D (measured for sizes from 16 to 1024).
double errorOfSquaring(double eps, const Exponents& e, double ratio) {
    return 2.0 * eps * std::abs(0.5 * (e.q - 2.0)) * ratio;
}

template <class T, class W>
bool ballIn(const BallProblem<T>& problem, OracleResult& result) {
    const Shape s = problem.shape;
    Arena& arena = *problem.arena;
    const ArenaFrame frame(arena);
    const Exponents& e = problem.e;
    const Index k = s.smaller();
    const double root = std::sqrt(static_cast<double>(k)), power = 0.5 * (e.q - 2.0);
    const double allowed = problem.rtol > 0.0 ? problem.rtol : problem.strictError();

    const T* x = problem.g;
    int exponent = 0;
    if (std::abs(problem.exponent) > safeExponent) {
        T* copy = arena.take<T>(entries(s.size()));
        kernels::scaleByPowerOfTwo(s.size(), -problem.exponent, problem.g, copy);
        x = copy;
        exponent = problem.exponent;
    }
    W* room = arena.take<W>(entries(mostMatrices * k * k));
    formGram(s, x, room, arena);
    const SpectrumBounds bounds = boundSpectrum(k, room, widest, room + k * k, arena);
    if (!bounds.proven) return false;
    const double ratio = bounds.high / bounds.low;
    if (e.q < 2.0 && problem.cutoff * problem.cutoff * ratio >= 1.0) return false;  // some count as zero
    const double rounding = errorOfSquaring(machineEpsilon(dtypeOf<W>), e, ratio);
    if (rounding > 0.25 * allowed) return false;
    const ChebyshevPower fit = fitChebyshev(power, 1.0 / ratio, allowed / 16.0);
    if (fit.error > 0.25 * allowed) return false;
    kernels::scale(k * k, 1.0 / bounds.high, room, room);
    ChebyshevMatrix<W> function(k, fit, room);
    W* f = function.evaluate();
    const double norm = std::pow(function.trace(), 1.0 / e.q), direction = std::pow(norm, e.power);
    // Within the ball: what the errors may add to the norm is taken off.
    const double excess = fit.error * std::pow(static_cast<double>(k), 1.0 / e.p) / direction + rounding;
    const double factor = -1.0 / (direction * (1.0 + excess));
    const double top = std::sqrt(bounds.high);
    T* scaled = arena.take<T>(entries(k * k));
    for (Index i = 0; i < k * k; ++i) scaled[i] = static_cast<T>(factor / top * static_cast<double>(f[i]));
    symmetric::apply(s, scaled, x, problem.d);
    const double frobenius = std::sqrt(kernels::sumOfSquares(s.size(), problem.d));
    if (!(fit.error * root * -factor / frobenius + excess + rounding <= allowed)) return false;
    result.dualNorm = {norm * top, exponent};
    result.frobenius = frobenius;
    return true;
}

template <class T>
bool inSingle(double rtol) {
    return dtypeOf<T> == Dtype::float32 && rtol >= singleServes;
}

bool longEnough(Shape s) { return s.smaller() >= 16 && s.larger() >= 2 * s.smaller(); }

}  // namespace

bool chebyshevServes(Shape s, const Exponents& e) { return longEnough(s) && e.q <= 8.0 + 1e-9 && e.q != 2.0; }

bool chebyshevPromises(Shape s, Dtype dtype, double rtol) {
    return longEnough(s) && (rtol > 0.0 || (dtype == Dtype::float32 && s.larger() >= 3 * s.smaller()));
}

template <class T>
bool ballByChebyshev(const BallProblem<T>& problem, OracleResult& result) {
    return inSingle<T>(problem.rtol) ? ballIn<T, T>(problem, result) : ballIn<T, double>(problem, result);
}

template bool ballByChebyshev<float>(const BallProblem<float>&, OracleResult&);
template bool ballByChebyshev<double>(const BallProblem<double>&, OracleResult&);

}  // namespace schattor
