#include "linalg/chebyshev.h"

#include <Eigen/Eigenvalues>
#include <cmath>

#include "linalg/spectrum.h"
#include "linalg/symmetric_product.h"
#include "support.h"

using namespace schattor;  // NOLINT

namespace {

double valueAt(const ChebyshevPower& f, double x) {
    const double y = (2.0 * x - 1.0 - f.low) / (1.0 - f.low);
    double sum = 0.0;
    for (int j = 0; j <= f.degree; ++j)
        sum += f.coefficient[static_cast<std::size_t>(j)] * std::cos(j * std::acos(std::clamp(y, -1.0, 1.0)));
    return sum;
}

/// Q diag(lambda) Q' in full, with a Householder reflector Q.
template <class T>
std::vector<T> withEigenvalues(const std::vector<double>& lambda) {
    const std::size_t k = lambda.size();
    std::vector<double> v(k);
    double squares = 0.0;
    for (std::size_t i = 0; i < k; ++i) {
        v[i] = 1.0 + std::sin(static_cast<double>(3 * i));
        squares += v[i] * v[i];
    }
    const auto q = [&](std::size_t i, std::size_t j) {
        return (i == j ? 1.0 : 0.0) - 2.0 * v[i] * v[j] / squares;
    };
    std::vector<T> a(k * k);
    for (std::size_t i = 0; i < k; ++i)
        for (std::size_t j = 0; j < k; ++j) {
            double sum = 0.0;
            for (std::size_t l = 0; l < k; ++l) sum += q(i, l) * lambda[l] * q(j, l);
            a[i * k + j] = static_cast<T>(sum);
        }
    return a;
}

std::vector<double> spread(std::size_t k, double low) {
    std::vector<double> lambda(k);
    for (std::size_t i = 0; i < k; ++i)
        lambda[i] = low + (1.0 - low) * static_cast<double>(i) / static_cast<double>(k - 1);
    return lambda;
}

}  // namespace

TEST("the stated error bounds the polynomial's on the whole interval, and is met where it can be") {
    for (const double power : {-0.5, -1.0 / 3.0, -0.25, 0.5, 3.0})
        for (const double low : {0.9, 0.5, 0.1, 0.01})
            for (const double tolerance : {1e-2, 1e-5, 1e-9}) {
                const ChebyshevPower f = fitChebyshev(power, low, tolerance);
                double worst = 0.0;
                for (int i = 0; i <= 1000; ++i) {
                    const double x = low + (1.0 - low) * i / 1000.0;
                    worst = std::max(worst, std::abs(valueAt(f, x) - std::pow(x, power)));
                }
                const std::string label =
                    check::show(power) + ", " + check::show(low) + ", " + check::show(tolerance);
                CHECK_FOR(label, worst <= f.error * (1.0 + 1e-6) + 1e-12);
                CHECK_FOR(label, f.error <= tolerance || f.degree == ChebyshevPower::mostDegree);
                CHECK_FOR(
                    label + ", a smaller degree would do",
                    f.degree <= 1 ||
                        f.error + std::abs(f.coefficient[static_cast<std::size_t>(f.degree)]) > tolerance);
            }
}

// Degrees on both sides of every change in the scheme, also those at which its last block is a number.
TEST("the matrix polynomial has the values of the polynomial at the eigenvalues, and its trace") {
    support::forBothDtypes([]<class T>(T) {
        const double low = 0.2, power = -1.0 / 3.0;
        for (const std::size_t k : {std::size_t{16}, std::size_t{53}}) {
            const std::vector<double> lambda = spread(k, low);
            for (int degree = 1; degree <= ChebyshevPower::mostDegree; ++degree) {
                ChebyshevPower f = fitChebyshev(power, low, 0.0);
                f.degree = degree;
                std::vector<double> values(k);
                double trace = 0.0;
                for (std::size_t i = 0; i < k; ++i) {
                    values[i] = valueAt(f, lambda[i]);
                    trace += lambda[i] * values[i];
                }
                const std::vector<T> a = withEigenvalues<T>(lambda), wanted = withEigenvalues<T>(values);
                std::vector<T> room(static_cast<std::size_t>(ChebyshevMatrix<T>::roomFor(degree)) * k * k);
                std::copy(a.begin(), a.end(), room.begin());
                ChebyshevMatrix<T> function(static_cast<Index>(k), f, room.data());
                const T* found = function.evaluate();
                double difference = 0.0;
                for (std::size_t i = 0; i < k * k; ++i)
                    difference = std::max(difference, std::abs(static_cast<double>(found[i] - wanted[i])));
                const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
                CHECK_FOR("degree " + std::to_string(degree), difference <= 50.0 * eps);
                CHECK_FOR("trace, degree " + std::to_string(degree),
                          std::abs(function.trace() - trace) <= 50.0 * eps * static_cast<double>(k));
            }
        }
    });
}

TEST("proven bounds hold the spectrum and are near it; nearly singular matrices are refused") {
    support::forBothDtypes([]<class T>(T) {
        for (const std::size_t k : {std::size_t{16}, std::size_t{90}})
            for (const double low : {0.9, 0.3, 0.05, 0.002, 0.0}) {
                const auto size = static_cast<Index>(k);
                const std::vector<T> a = withEigenvalues<T>(spread(k, low));
                std::vector<T> work(k * k);
                Arena arena;
                const SpectrumBounds b = boundSpectrum(size, a.data(), 200.0, work.data(), arena);
                const std::string label = std::to_string(k) + ", " + check::show(low);
                CHECK_FOR(label, b.proven == (low > 0.01));
                if (!b.proven) continue;
                CHECK_FOR(label + ", " + check::show(b.high), b.high >= 1.0 && b.high <= 1.2);
                CHECK_FOR(label + ", " + check::show(b.low), b.low <= low && b.low >= 0.15 * low);
            }
    });
}

// A factorisation that ends proves a bound up to its own rounding errors. Matrices whose smallest eigenvalue
// is within a few of these of what is tried, 3/4 of the Ritz value, show whether the bound allows for them:
// the bottom of a dense spectrum is where a few Lanczos steps are a quarter off.
TEST("bounds hold also where only rounding errors decide whether a factorisation ends") {
    support::forBothDtypes([]<class T>(T) {
        const std::size_t k = 60;
        const auto size = static_cast<Index>(k);
        int decided = 0;
        for (int shift = 0; shift < 5; ++shift) {
            std::vector<double> lambda = spread(k, 0.05 + 0.01 * shift);
            const auto boundsAt = [&](double smallest, double& exact) {
                lambda[0] = smallest;
                const std::vector<T> a = withEigenvalues<T>(lambda);
                const Eigen::MatrixXd full =
                    Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>>(a.data(), size, size)
                        .template cast<double>();
                exact = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(full).eigenvalues()(0);
                std::vector<T> work(k * k);
                Arena arena;
                return boundSpectrum(size, a.data(), 1e4, work.data(), arena);
            };
            // Bisection for the smallest eigenvalue at which the first try begins to fail.
            double from = 0.2 * lambda[1], to = lambda[1], exact = 0.0;
            const auto ratio = [&](double x) { return boundsAt(x, exact).low / exact; };
            for (int step = 0; step < 60; ++step) {
                const double middle = 0.5 * (from + to);
                const double found = ratio(middle);
                CHECK_FOR(check::show(found - 1.0), found <= 1.0);
                (found > 0.9 ? from : to) = middle;
            }
            decided += from > 0.2 * lambda[1] && to < lambda[1];
        }
        CHECK(decided > 0);
    });
}
