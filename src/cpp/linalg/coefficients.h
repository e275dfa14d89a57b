#pragma once

#include <array>
#include <span>
#include <string_view>

namespace schattor {

/// One odd polynomial step x -> a x + b x^3 + c x^5.
using Triple = std::array<double, 3>;

/// A named sequence of polynomial steps that drives the singular values towards one.
struct CoefficientSet {
    std::string_view name;
    std::span<const Triple> steps;
    int defaultSteps;
    bool repeatsLast;   ///< further steps repeat the last triple; otherwise they are refused
    bool convergent;    ///< with at least steps.size() steps no singular value ends above one
    double normFactor;  ///< the input is divided by normFactor ||X||_F
    std::string_view source;
};

/// The one table of iteration coefficients.
std::span<const CoefficientSet> coefficientSets();

/// Raises std::invalid_argument, with the known names, for an unknown one.
const CoefficientSet& coefficientSet(std::string_view name);

}  // namespace schattor
