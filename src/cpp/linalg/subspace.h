#pragma once

#include <cstdint>

#include "base/arena.h"
#include "base/types.h"

namespace schattor {

struct SubspaceOptions {
    double rtol = 1e-6;    ///< the residuals that are asked for, relative to sigma_1
    bool certify = false;  ///< also prove that the sum of the k values is exact to rtol
    std::uint64_t seed = 0;
    /// Start: right singular vectors of a similar matrix, one after the other, or null.
    const double* start = nullptr;
    Index started = 0;
};

/// The k largest singular values with their vectors: A v_i = 2^exponent sigma_i u_i up to the residual.
struct TopSingular {
    Index count = 0;
    double* left = nullptr;   ///< u_1, ..., u_k one after the other (a k x m row-major array)
    double* right = nullptr;  ///< v_1, ..., v_k one after the other
    double* sigma = nullptr;
    int exponent = 0;
    /// max_i of ||A v_i - sigma_i u_i|| and ||A'u_i - sigma_i v_i||, over sigma_1: within residual * sigma_1
    /// of every sigma_i lies a singular value of A.
    double residual = 0.0;
    /// lower <= sum of the k largest singular values <= upper, times 2^exponent. Without `certify` the upper
    /// bound is sqrt(k) ||A||_F.
    double lower = 0.0, upper = 0.0;
    bool converged = true;   ///< residual <= rtol
    bool certified = false;  ///< upper - lower <= rtol * lower
    bool dense = false;      ///< from the full SVD
    int iterations = 0;      ///< vectors that were multiplied by AA' or A'A
    int fallbacks = 0;       ///< failed proofs, and a dense computation that was not the first choice
};

/// Randomised block Krylov iteration with restarts (Musco and Musco, NeurIPS 2015; Halko, Martinsson and
/// Tropp, SIAM Review 53, 2011), ended by a measured residual; the full SVD where k is not small, or where
/// the iteration does not converge. A is finite and not zero; arrays come from `arena`; 1 <= k <= min(m, n).
template <class T>
TopSingular topSingular(Shape shape, const T* a, Index k, const SubspaceOptions& options, Arena& arena);

/// Whether k is so large that the full SVD is the better way.
bool prefersDense(Shape shape, Index k);

}  // namespace schattor
