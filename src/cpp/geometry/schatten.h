#pragma once

#include <optional>

#include "geometry/geometry.h"
#include "linalg/newton_schulz.h"
#include "linalg/rational.h"

namespace schattor {

/// The Schatten-p norm (Lemma 1). Routes: the closed form for p = 2 and for vectors; those of ball_problem.h,
/// each falling back to the next more robust one; for p = inf a Newton-Schulz iteration or QDWH.
class Schatten final : public Geometry {
public:
    enum class Route { automatic, svd, gram, band, chebyshev, newtonSchulz, qdwh };

    /// `rcond` < 0 stands for max(m, n) eps, `rtol` = 0 for strict. `iteration` goes with
    /// Route::newtonSchulz.
    Schatten(Value p, Route route, std::optional<Iteration> iteration, double rcond, double rtol = 0.0);

    OracleResult ball(const OracleContext&, Shape, const float* g, float* d) const override;
    OracleResult ball(const OracleContext&, Shape, const double* g, double* d) const override;
    Scaled norm(const OracleContext&, Shape, const float* x) const override;
    Scaled norm(const OracleContext&, Shape, const double* x) const override;
    Scaled dualNorm(const OracleContext& c, Shape s, const float* g) const override;
    Scaled dualNorm(const OracleContext& c, Shape s, const double* g) const override;

    /// ||G||_q <= ||G||_1 <= sqrt(k) ||G||_F <= sqrt(k m n) max |g_ij|
    double dualNormBound(Shape) const override;
    bool sharesWork(Shape, Dtype) const override;
    void ownCheck(Shape) const override;

private:
    template <class T>
    OracleResult run(const OracleContext&, Shape, const T* g, T* d) const;
    template <class T>
    OracleResult exact(const OracleContext&, Shape, const T* g, T* d, double p, double largest) const;
    template <class T>
    OracleResult byIteration(const OracleContext&, Shape, const T* g, T* d) const;
    /// False where QDWH did not succeed: the SVD has to follow.
    template <class T>
    bool byQdwh(const OracleContext&, Shape, const T* g, T* d, OracleResult& result) const;
    template <class T>
    Scaled norm(const OracleContext&, Shape, const T* x, double p) const;

    Value p_;
    Route route_;
    std::optional<Iteration> iteration_;
    double rcond_;
    double rtol_;
    mutable RationalFits fits_;  ///< a memory of functions of p, not state
};

}  // namespace schattor
