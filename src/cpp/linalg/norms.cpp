#include "linalg/norms.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "base/kernels.h"

namespace schattor {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

void checkExponent(double p) {
    if (!(p >= 1.0)) throw std::invalid_argument("p must be in [1, inf], got " + std::to_string(p));
}

Exponents::Exponents(double exponent) : p(exponent) {
    checkExponent(p);
    power = p == infinity ? 0.0 : 1.0 / (p - 1.0);
    q = power == infinity ? infinity : 1.0 + power;
}

Scaled powerNorm(std::span<const double> x, double p) {
    const double largest = x.empty() ? 0.0 : *std::max_element(x.begin(), x.end());
    if (largest == 0.0) return {};
    if (p == infinity) return Scaled{largest, 0}.normalized();
    double sum = 0.0;
    for (const double value : x) sum += std::pow(value / largest, p);
    return Scaled{largest, 0}.normalized().times(std::pow(sum, 1.0 / p));
}

template <class T>
Scaled frobeniusNorm(Index n, const T* x) {
    // Squares of float need no scaling, nor do those of double well inside its range.
    double sum = kernels::sumOfSquares(n, x);
    if (sizeof(T) == sizeof(float) || (sum > 1e-240 && sum < 1e240))
        return Scaled{std::sqrt(sum), 0}.normalized();
    const int exponent = kernels::exponentOf(n, x);
    sum = 0.0;
    for (Index i = 0; i < n; ++i) {
        const double scaled = std::ldexp(static_cast<double>(x[i]), -exponent);
        sum += scaled * scaled;
    }
    return Scaled{std::sqrt(sum), exponent};
}

template <class T>
Scaled sumNorm(Index n, const T* x, double largest) {
    if (largest == 0.0) return {};
    // 2^-exponent must be finite.
    const int exponent = std::max(Scaled{largest, 0}.normalized().exponent, -1000);
    return {kernels::sumOfMagnitudes(n, exponent, x), exponent};
}

void ballWeights(std::span<const double> sigma, const Exponents& e, double cutoff, double tie,
                 std::span<double> f) {
    const double largest = sigma[0];
    if (e.q == infinity) {
        const auto tied = [&](double s) { return s >= largest * (1.0 - tie); };
        const auto ties = std::count_if(sigma.begin(), sigma.end(), tied);
        std::fill(f.begin(), f.end(), 0.0);
        std::fill_n(f.begin(), ties, 1.0 / static_cast<double>(ties));
        return;
    }
    const double threshold = e.q < 2.0 ? cutoff : 0.0;
    double sum = 0.0;
    for (const double s : sigma)
        if (s / largest > threshold) sum += std::pow(s / largest, e.q);
    // ||t||_q^(q-1) = (sum t^q)^(1/p)
    const double normalizer = std::pow(sum, -1.0 / e.p);
    for (std::size_t i = 0; i < sigma.size(); ++i) {
        const double t = sigma[i] / largest;
        f[i] = t > threshold ? std::pow(t, e.power) * normalizer : 0.0;
    }
}

template Scaled frobeniusNorm<float>(Index, const float*);
template Scaled frobeniusNorm<double>(Index, const double*);
template Scaled sumNorm<float>(Index, const float*, double);
template Scaled sumNorm<double>(Index, const double*, double);

}  // namespace schattor
