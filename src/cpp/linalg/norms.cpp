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

template <class T>
Scaled powerNorm(std::span<const T> x, double p) {
    const double largest = x.empty() ? 0.0 : static_cast<double>(*std::max_element(x.begin(), x.end()));
    if (largest == 0.0) return {};
    if (p == infinity) return Scaled{largest, 0}.normalized();
    double sum = 0.0;
    for (const T value : x) sum += std::pow(static_cast<double>(value) / largest, p);
    return Scaled{largest, 0}.normalized().times(std::pow(sum, 1.0 / p));
}

template <class T>
Scaled frobeniusNorm(Index n, const T* x) {
    const double largest = kernels::maxAbs(n, x);
    if (largest == 0.0) return {};
    int exponent = 0;
    std::frexp(largest, &exponent);
    // Squares of float, and of double well inside its range, need no scaling.
    const bool safe = sizeof(T) == sizeof(float) || std::abs(exponent) < 400;
    if (safe) return Scaled{std::sqrt(kernels::sumOfSquares(n, x)), 0}.normalized();
    double sum = 0.0;
    for (Index i = 0; i < n; ++i) {
        const double scaled = std::ldexp(static_cast<double>(x[i]), -exponent);
        sum += scaled * scaled;
    }
    return Scaled{std::sqrt(sum), exponent};
}

template <class T>
void ballWeights(std::span<const T> sigma, const Exponents& e, double cutoff, double tie, std::span<T> f) {
    const double largest = static_cast<double>(sigma[0]);
    if (e.q == infinity) {
        const auto ties = std::count_if(sigma.begin(), sigma.end(),
                                        [&](T s) { return static_cast<double>(s) >= largest * (1.0 - tie); });
        const T share = static_cast<T>(1.0 / static_cast<double>(ties));
        std::fill(f.begin(), f.end(), T(0));
        std::fill_n(f.begin(), ties, share);
        return;
    }
    const double threshold = e.q < 2.0 ? cutoff : 0.0;
    const auto ratio = [&](T s) { return static_cast<double>(s) / largest; };
    double sum = 0.0;
    for (const T s : sigma)
        if (ratio(s) > threshold) sum += std::pow(ratio(s), e.q);
    // ||t||_q^(q-1) = (sum t^q)^(1/p)
    const double normalizer = std::pow(sum, -1.0 / e.p);
    for (std::size_t i = 0; i < sigma.size(); ++i) {
        const double t = ratio(sigma[i]);
        f[i] = t > threshold ? static_cast<T>(std::pow(t, e.power) * normalizer) : T(0);
    }
}

#define SCHATTOR_INSTANTIATE(T)                               \
    template Scaled powerNorm<T>(std::span<const T>, double); \
    template Scaled frobeniusNorm<T>(Index, const T*);        \
    template void ballWeights<T>(std::span<const T>, const Exponents&, double, double, std::span<T>);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)

}  // namespace schattor
