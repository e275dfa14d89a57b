#pragma once

#include <optional>

#include "geometry/geometry.h"
#include "linalg/newton_schulz.h"

namespace schattor {

/// The Schatten-p norm (Lemma 1). Routes: the closed form for p = 2 and for vectors, the SVD, or for
/// p = inf a Newton-Schulz iteration or QDWH.
class Schatten final : public Geometry {
public:
    enum class Route { automatic, svd, newtonSchulz, qdwh };

    /// `rcond` < 0 stands for max(m, n) eps. `iteration` goes with Route::newtonSchulz.
    Schatten(Value p, Route route, std::optional<Iteration> iteration, double rcond);

    OracleResult ball(const OracleContext&, Shape, const float* g, float* d) const override;
    OracleResult ball(const OracleContext&, Shape, const double* g, double* d) const override;
    Scaled norm(const OracleContext&, Shape, const float* x) const override;
    Scaled norm(const OracleContext&, Shape, const double* x) const override;
    Scaled dualNorm(const OracleContext& c, Shape s, const float* g) const override;
    Scaled dualNorm(const OracleContext& c, Shape s, const double* g) const override;

    std::size_t scratch(Shape, Dtype) const override;
    /// ||G||_q <= ||G||_1 <= sqrt(k) ||G||_F <= sqrt(k m n) max |g_ij|
    double dualNormBound(Shape) const override;
    void check(Shape) const override;

private:
    template <class T>
    OracleResult run(const OracleContext&, Shape, const T* g, T* d) const;
    template <class T>
    OracleResult bySvd(const OracleContext&, Shape, const T* g, T* d, double p) const;
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
};

}  // namespace schattor
