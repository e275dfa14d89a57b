#include "coupler/mixed_norm.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "linalg/norms.h"

namespace schattor {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Largest exponent among the non-zero entries: what the others are taken relative to.
int commonExponent(std::span<const Scaled> norms) {
    int exponent = std::numeric_limits<int>::min();
    for (const Scaled& norm : norms)
        if (!norm.isZero()) exponent = std::max(exponent, norm.normalized().exponent);
    return exponent == std::numeric_limits<int>::min() ? 0 : exponent;
}

}  // namespace

MixedNorm::MixedNorm(double outer) : outer_(outer) {
    if (!(outer >= 1.0))
        throw std::invalid_argument("outer must be in [1, inf], got " + std::to_string(outer));
}

bool MixedNorm::separates(Rule rule) const { return outer_ == (rule == Rule::ball ? infinity : 2.0); }

Scaled MixedNorm::couple(std::span<const Scaled> dualNorms, std::span<const double> weights,
                         std::span<Coupling> out) const {
    const int exponent = commonExponent(dualNorms);
    const auto ratio = [&](std::size_t i) { return dualNorms[i].relativeTo(exponent) / weights[i]; };
    const Exponents e(outer_);
    double largest = 0.0;
    for (std::size_t i = 0; i < dualNorms.size(); ++i) largest = std::max(largest, ratio(i));
    if (largest == 0.0) {
        std::fill(out.begin(), out.end(), Coupling{0.0, 0.0});
        return {};
    }
    // ||a||_s and the shares tau_i = (a_i / ||a||_s)^(s-1), relative to the largest a_i. At r = 1
    // the largest share the mass by the tie rule of the oracles, at the precision of double.
    const double tie = 8.0 * std::numeric_limits<double>::epsilon();
    const bool greedy = e.q == infinity;
    double sum = 0.0;
    for (std::size_t i = 0; i < dualNorms.size(); ++i)
        sum += greedy ? (ratio(i) >= largest * (1.0 - tie) ? 1.0 : 0.0) : std::pow(ratio(i) / largest, e.q);
    const double total = greedy ? largest : largest * std::pow(sum, 1.0 / e.q);
    for (std::size_t i = 0; i < dualNorms.size(); ++i) {
        const double a = ratio(i);
        if (a == 0.0) {
            out[i] = {0.0, 0.0};
            continue;
        }
        const double share = greedy ? (a >= largest * (1.0 - tie) ? 1.0 / sum : 0.0)
                                    : std::pow(a / largest, e.power) * std::pow(sum, -1.0 / e.p);
        // ||G||_* tau_i / w_i over the block's own dual norm w_i a_i
        out[i] = {share / weights[i], share * (total / a) / (weights[i] * weights[i])};
    }
    return Scaled{total, exponent};
}

Scaled MixedNorm::norm(std::span<const Scaled> norms, std::span<const double> weights) const {
    const int exponent = commonExponent(norms);
    std::vector<double> weighted(norms.size());
    for (std::size_t i = 0; i < norms.size(); ++i) weighted[i] = norms[i].relativeTo(exponent) * weights[i];
    Scaled result = powerNorm(std::span<const double>(weighted), outer_);
    result.exponent += exponent;
    return result;
}

}  // namespace schattor
