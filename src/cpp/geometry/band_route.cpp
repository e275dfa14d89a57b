#include "geometry/band_route.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "linalg/band_function.h"
#include "linalg/band_reduction.h"
#include "linalg/blas_threads.h"

namespace schattor {
namespace {

// The width of the band: narrow ones make the rational function cheap, wide ones the products.
Index bandWidth(Index k) { return k < 192 ? 4 : k < 640 ? 8 : 16; }

// The backward error of the reduction and the restoration is about this times eps sqrt(k) ||G||_F (measured
// for sizes from 16 to 1024: 0.25 to 0.4).
constexpr double reductionError = 0.5;
// Estimates of errors are averages over the directions of an error matrix; this much above them counts as
// possible.
constexpr double margin = 4.0;

// to = from', both row-major.
template <class T>
void transpose(Shape s, const T* from, T* to) {
    constexpr Index tile = 32;
    for (Index top = 0; top < s.rows; top += tile)
        for (Index left = 0; left < s.cols; left += tile)
            for (Index j = left; j < std::min(left + tile, s.cols); ++j)
                for (Index i = top; i < std::min(top + tile, s.rows); ++i)
                    to[j * s.rows + i] = from[i * s.cols + j];
}

// The powers of two of the problem are taken out while the matrix is loaded, with its larger side down the
// columns.
template <class T>
void load(const BallProblem<T>& problem, T* x) {
    const Shape s = problem.shape;
    const bool tall = s.rows > s.cols;
    if (tall) transpose(s, problem.g, x);
    kernels::scaleByPowerOfTwo(s.size(), -problem.exponent, tall ? x : problem.g, x);
}

// What the errors of a result depend on, in units of the scaled matrix: its singular values are at most 1.
struct Sizes {
    double k, matrix, inverse, direction;  // ||X||_F, tr F, ||F X||_F
    double low;                            // no eigenvalue that counts lies below
    double near;                           // number of eigenvalues that are not far above it
};

// ||dD||_F / ||D||_F for an error E of X is at most phi ||E||_F, phi the largest divided difference of
// sigma^(q-1). For errors in all directions alike its mean square is (tr F)^2 / k^2 (docs/numerics.md).
double errorOfReduction(const Sizes& z, const Exponents& e, double eps) {
    const double backward = reductionError * eps * std::sqrt(z.k) * z.matrix;
    const double gain = e.q < 2.0 ? z.inverse / z.k : e.power;
    return backward * gain / z.direction;
}

// B B' is formed in double: an error of eps of its largest eigenvalue.
double errorOfSquaring(const Sizes& z, const Exponents& e) {
    if (e.q >= 2.0) return 0.0;
    const double eps = machineEpsilon(Dtype::float64);
    return 2.0 * eps / std::sqrt(z.k) * z.inverse / std::sqrt(z.low) / z.direction;
}

// It changes single values of sigma^(q-1), relatively, by up to this, the more the more small ones there are
// (measured), and the ball may be left by as much.
double excessOfSquaring(const Sizes& z, const Exponents& e) {
    if (e.q >= 2.0) return 0.0;
    return 4.0 * z.near * (2.0 - e.q) * machineEpsilon(Dtype::float64) / z.low;
}

// For q > 2 eigenvalues may lie far below the first pole t. The elimination then mixes large and small ones
// by up to 16 eps / t (measured), with the weight t^((q - 2) / 2).
double errorOfElimination(const Sizes& z, const Exponents& e, double pole) {
    if (e.q < 2.0) return 0.0;
    return 16.0 * machineEpsilon(Dtype::float64) * std::pow(pole, 0.5 * e.q - 2.0) / z.direction;
}

double errorOfFit(const Sizes& z, double fit) { return fit * std::sqrt(z.k) / z.direction; }

// Where the rational function has to be right. For q < 2 the eigenvalues below the cutoff are dropped; false
// when they are too many to find one by one, or when rounding errors hide which ones they are. For q > 2 the
// small ones matter as little as sqrt(x) x^((q - 2) / 2) says.
bool findInterval(BandFunction& function, const Exponents& e, double cutoff, double tolerance, double& low) {
    static constexpr double tries[] = {1e-2, 1e-4, 1e-6, 1e-8}, hidden = 1e-15;
    if (e.q > 2.0) {
        low = std::clamp(std::pow(0.1 * tolerance, 2.0 / e.power), hidden, 1e-6);
        return true;
    }
    const double zero = cutoff * cutoff * function.largest(), smallest = std::max(zero, hidden);
    const Index below = function.countBelow(smallest);
    low = smallest;
    if (below > 0) return zero >= hidden && function.drop(below, smallest);
    for (const double x : tries)
        if (x > smallest && function.countBelow(x) == 0) {
            low = x;
            break;
        }
    return true;
}

}  // namespace

bool bandServes(Shape, const Exponents& e) { return e.q <= 4.0 + 1e-9 && e.q != 2.0; }

bool bandPromises(Shape, Dtype dtype, double rtol) { return dtype == Dtype::float32 || rtol > 0.0; }

template <class T>
bool ballByBand(const BallProblem<T>& problem, OracleResult& result) {
    const Shape s = problem.shape;
    const SingleThreadedBlas single(problem.team != nullptr);
    Arena& arena = *problem.arena;
    const ArenaFrame frame(arena);
    const Exponents& e = problem.e;
    const Index k = s.smaller(), wide = s.larger(), width = bandWidth(k);
    const bool tall = s.rows > s.cols;
    BandReduction<T> reduction(wide, k, width, arena);
    BandFunction function(k, width, arena);
    load(problem, reduction.matrix());
    reduction.reduce(problem.team);
    function.setBand([&](Index i, Index j) { return reduction.band(i, j); });

    Sizes sizes{static_cast<double>(k), std::sqrt(function.traceOfMatrix()), 0.0, 0.0, 0.0, 0.0};
    const double allowed = problem.rtol > 0.0 ? problem.rtol : problem.strictError();
    if (!findInterval(function, e, problem.cutoff, allowed / 16.0, sizes.low)) return false;
    if (e.q < 2.0) sizes.near = std::max(1.0, static_cast<double>(function.countBelow(16.0 * sizes.low)));
    double norm = 0.0, fitted = 0.0, pole = 1.0;
    T* x = tall ? arena.take<T>(static_cast<std::size_t>(s.size())) : problem.d;
    // A second, finer fit serves spectra that decay so fast that the direction is small beside the fit's
    // error.
    for (double tolerance = std::min(allowed / 16.0, 1e-4), attempt = 0;; tolerance /= 30.0, ++attempt) {
        const RationalPower rational = problem.fits->get(0.5 * (e.q - 2.0), sizes.low, tolerance);
        function.evaluate(rational, problem.team);
        pole = rational.pole[0];
        norm = std::pow(function.trace(), 1.0 / e.q);
        sizes.inverse = function.traceOfFunction();
        // Within the ball: what the errors may add to the norm is taken off.
        const double excess = rational.error * std::pow(sizes.k, 1.0 / e.p) / std::pow(norm, e.power) +
                              excessOfSquaring(sizes, e);
        fitted = -1.0 / (std::pow(norm, e.power) * (1.0 + excess));
        const double root = std::sqrt(function.scale());
        sizes.direction = std::sqrt(function.multiplyBand(fitted / root, x, wide, problem.team)) / root;
        if (errorOfFit(sizes, rational.error) + excess <= 0.5 * allowed) break;
        if (attempt >= 1) return false;
    }
    double error = margin * (errorOfSquaring(sizes, e) + errorOfElimination(sizes, e, pole));
    // The error of the reduction is the one that LAPACK's SVD in this dtype has.
    if (problem.rtol > 0.0 || dtypeOf<T> == Dtype::float64)
        error += margin * errorOfReduction(sizes, e, machineEpsilon(dtypeOf<T>));
    if (!(error <= 0.5 * allowed)) return false;
    reduction.restore(x, wide, problem.team);
    if (tall) transpose({s.cols, s.rows}, x, problem.d);

    result.dualNorm = {norm * std::sqrt(function.scale()), problem.exponent};
    result.frobenius = sizes.direction * std::abs(fitted);
    return true;
}

template bool ballByBand<float>(const BallProblem<float>&, OracleResult&);
template bool ballByBand<double>(const BallProblem<double>&, OracleResult&);

}  // namespace schattor
