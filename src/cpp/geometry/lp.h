#pragma once

#include "geometry/geometry.h"

namespace schattor {

/// The l_p norm of the entries: D_ij = -sign(g) |g|^(q-1) / ||g||_q^(q-1). At p = inf it is -sign(G),
/// with sign(0) = 0; at p = 1 the largest entries share the mass.
class Lp final : public Geometry {
public:
    explicit Lp(Value p) : p_(p) {}

    OracleResult ball(const OracleContext&, Shape, const float* g, float* d) const override;
    OracleResult ball(const OracleContext&, Shape, const double* g, double* d) const override;
    Scaled norm(const OracleContext&, Shape, const float* x) const override;
    Scaled norm(const OracleContext&, Shape, const double* x) const override;
    Scaled dualNorm(const OracleContext&, Shape, const float*) const override;
    Scaled dualNorm(const OracleContext&, Shape, const double*) const override;
    /// ||g||_q <= ||g||_1 <= m n max |g_ij|
    double dualNormBound(Shape shape) const override { return static_cast<double>(shape.size()); }
    std::optional<double> pieceExponent(Shape) const override { return p_.constant(); }

private:
    template <class T>
    OracleResult run(const OracleContext&, Shape, const T* g, T* d) const;
    template <class T>
    Scaled norm(Shape, const T* x, double p) const;

    Value p_;
};

}  // namespace schattor
