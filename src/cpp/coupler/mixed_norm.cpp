#include "coupler/mixed_norm.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "linalg/norms.h"

namespace schattor {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// a_i = ||G_i|| / w_i
Scaled divided(const Scaled& norm, double weight) {
    return Scaled{norm.value / weight, norm.exponent}.normalized();
}

bool smaller(const Scaled& a, const Scaled& b) {
    if (a.isZero() || b.isZero()) return !b.isZero() && a.isZero();
    return a.exponent != b.exponent ? a.exponent < b.exponent : a.value < b.value;
}

// (a / b)^power of normalized numbers, also where a / b itself is below the range of double.
double ratioPower(const Scaled& a, const Scaled& b, double power) {
    if (power == 0.0) return 1.0;
    const int apart = a.exponent - b.exponent;
    if (std::abs(apart) < 1000) return std::pow(std::ldexp(a.value / b.value, apart), power);
    return std::exp2(power * (std::log2(a.value / b.value) + apart));
}

}  // namespace

MixedNorm::MixedNorm(double outer) : outer_(outer) {
    if (!(outer >= 1.0))
        throw std::invalid_argument("outer must be in [1, inf], got " + std::to_string(outer));
}

bool MixedNorm::separates(Rule rule) const { return outer_ == (rule == Rule::ball ? infinity : 2.0); }

Scaled MixedNorm::couple(std::span<const Scaled> dualNorms, std::span<const double> weights,
                         std::span<Coupling> out) const {
    const Exponents e(outer_);
    Scaled largest;
    for (std::size_t i = 0; i < dualNorms.size(); ++i)
        largest = std::max(largest, divided(dualNorms[i], weights[i]), smaller);
    if (largest.isZero()) {
        std::fill(out.begin(), out.end(), Coupling{0.0, 0.0});
        return {};
    }
    // ||a||_s and the shares tau_i = (a_i / ||a||_s)^(s-1), relative to the largest a_i. At r = 1 the largest
    // share the mass by the tie rule of the oracles, at the precision of double.
    const bool greedy = e.q == infinity;
    const double tied = 1.0 - 8.0 * std::numeric_limits<double>::epsilon();
    const auto power = [&](const Scaled& a, double exponent) {
        if (a.isZero()) return 0.0;
        if (greedy) return ratioPower(a, largest, 1.0) >= tied ? 1.0 : 0.0;
        return ratioPower(a, largest, exponent);
    };
    double sum = 0.0;
    for (std::size_t i = 0; i < dualNorms.size(); ++i) sum += power(divided(dualNorms[i], weights[i]), e.q);
    const double total = greedy ? 1.0 : std::pow(sum, 1.0 / e.q);  // in units of the largest
    const double scale = greedy ? 1.0 / sum : std::pow(sum, -1.0 / e.p);
    for (std::size_t i = 0; i < dualNorms.size(); ++i) {
        const double weight = weights[i];
        const Scaled a = divided(dualNorms[i], weight);
        // tau_i, and ||G||_* tau_i / a_i with the powers of a_i taken together
        const double share = scale * power(a, e.power);
        const double relative = scale * total * power(a, e.power - 1.0);
        out[i] = {share / weight, relative / (weight * weight)};
    }
    return largest.times(total);
}

Scaled MixedNorm::norm(std::span<const Scaled> norms, std::span<const double> weights) const {
    Scaled largest;
    for (std::size_t i = 0; i < norms.size(); ++i)
        largest = std::max(largest, norms[i].times(weights[i]).normalized(), smaller);
    if (largest.isZero() || outer_ == infinity) return largest;
    double sum = 0.0;
    for (std::size_t i = 0; i < norms.size(); ++i) {
        const Scaled weighted = norms[i].times(weights[i]).normalized();
        if (!weighted.isZero()) sum += ratioPower(weighted, largest, outer_);
    }
    return largest.times(std::pow(sum, 1.0 / outer_));
}

}  // namespace schattor
