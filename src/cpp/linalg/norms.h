#pragma once

#include <span>

#include "base/kernels.h"
#include "base/scaled.h"
#include "base/types.h"

namespace schattor {

/// Exponents of a Schatten or l_p norm and its dual: 1/p + 1/q = 1.
struct Exponents {
    explicit Exponents(double exponent);
    double p;
    double q;      ///< infinite at p = 1
    double power;  ///< q - 1 = 1/(p - 1), the power on the singular values in the ball oracle
};

/// Raises std::invalid_argument unless p is in [1, inf].
void checkExponent(double p);

/// (sum_i x_i^p)^(1/p) of non-negative numbers, or the largest one at p = inf. The result is
/// computed relative to the largest entry: no power overflows or vanishes unduly.
Scaled powerNorm(std::span<const double> x, double p);

/// ||x||_2 of all entries, over the whole range of the dtype.
template <class T>
Scaled frobeniusNorm(Index n, const T* x);

/// ||x||_1 of all entries, likewise; `largest` is max |x_i|.
template <class T>
Scaled sumNorm(Index n, const T* x, double largest);

/// The ball oracle on singular values: weights f with <sigma, f> = ||sigma||_q over the values that
/// are kept and ||f||_p = 1 (Lemma 1). For q < 2 values up to cutoff * sigma_1 count as zero; at
/// p = 1 values within `tie` of sigma_1, relatively, share the mass. sigma_1 > 0 comes first.
void ballWeights(std::span<const double> sigma, const Exponents& e, double cutoff, double tie,
                 std::span<double> f);

}  // namespace schattor
