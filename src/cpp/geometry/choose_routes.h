#pragma once

#include <array>

#include "base/types.h"
#include "linalg/norms.h"

namespace schattor {

/// The routes to try before the SVD, in this order: a polynomial of the Gram matrix, the adaptive polar
/// iteration, the band matrix, eigenvectors of the Gram matrix.
struct Routes {
    bool chebyshev = false;
    bool polar = false;
    bool band = false;
    bool gram = false;
};

/// What a route costs for a k x n block, k <= n, in nanoseconds on one thread in single precision.
struct RouteCost {
    double fixed = 0.0;    ///< a call
    double square = 0.0;   ///< times k^2
    double cube = 0.0;     ///< times k^3
    double product = 0.0;  ///< times k^2 (n - k)

    double at(Shape) const;
};

enum class CostedRoute { svd, gram, band, chebyshev, polar };
inline constexpr std::size_t costedRoutes = 5;
using CostModel = std::array<RouteCost, costedRoutes>;

/// The costs in use: those compiled in, which were measured, or those of this machine (setCostModel). Like
/// the number of BLAS threads they belong to the process.
CostModel costModel();
void setCostModel(const CostModel&);
const CostModel& compiledCostModel();

/// Steps that the polar iteration may take: as many as it needs up to condition numbers of about a thousand.
/// More could raise singular values to one that count as zero.
inline constexpr int mostPolarSteps = 5;

/// The routes that `auto` takes: the cheapest that can be expected to be accurate enough, by shape, dtype,
/// exponent and requested accuracy (0: strict), and what to fall back to.
Routes chooseRoutes(Shape, Dtype, const Exponents&, double rtol);

}  // namespace schattor
