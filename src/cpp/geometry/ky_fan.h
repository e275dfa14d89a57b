#pragma once

#include <cstdint>
#include <optional>

#include "geometry/geometry.h"

namespace schattor {

/// max(||X||_op, ||X||_* / k), whose dual is the Ky Fan k-norm, the sum of the k largest singular values
/// (Bhatia, Matrix Analysis, section IV.2). The ball {||X||_op <= 1, ||X||_* <= k} has the oracle -U_k V_k'.
/// k = 1 is the nuclear norm, k >= min(m, n) the spectral norm.
class KyFan final : public Geometry {
public:
    enum class Route { svd, subspace };

    /// `rtol` (a residual relative to sigma_1; none: 1e-6 in float, 1e-10 in double) and `seed` go with
    /// Route::subspace.
    KyFan(Index k, Route route, std::optional<double> rtol, std::uint64_t seed);

    OracleResult ball(const OracleContext&, Shape, const float* g, float* d) const override;
    OracleResult ball(const OracleContext&, Shape, const double* g, double* d) const override;
    Scaled norm(const OracleContext&, Shape, const float* x) const override;
    Scaled norm(const OracleContext&, Shape, const double* x) const override;
    Scaled dualNorm(const OracleContext&, Shape, const float* g) const override;
    Scaled dualNorm(const OracleContext&, Shape, const double* g) const override;

    /// The sum of k singular values is at most sqrt(k) ||G||_F <= sqrt(k m n) max |g_ij|.
    double dualNormBound(Shape) const override;
    void ownCheck(Shape) const override;

private:
    template <class T>
    OracleResult run(const OracleContext&, Shape, const T* g, T* d) const;
    template <class T>
    OracleResult bySvd(const OracleContext&, Shape, const T* g, T* d) const;
    template <class T>
    OracleResult bySubspace(const OracleContext&, Shape, const T* g, T* d) const;
    template <class T>
    Scaled norm(const OracleContext&, Shape, const T* x, bool dual) const;

    Index k_;
    Route route_;
    std::optional<double> rtol_;
    std::uint64_t seed_;
};

/// The oracle on singular values, largest first, sigma_1 > 0: weights f in [0, 1] with sum at most k and
/// <sigma, f> the sum of the k largest. Values up to cutoff * sigma_1 get none. Those within `tie` of the
/// k-th, relatively, share what the larger ones leave of k.
void kyFanWeights(std::span<const double> sigma, Index k, double cutoff, double tie, std::span<double> f);

}  // namespace schattor
