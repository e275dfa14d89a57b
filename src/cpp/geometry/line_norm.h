#pragma once

#include "geometry/geometry.h"
#include "linalg/line_lengths.h"

namespace schattor {

/// The largest Euclidean length of a row (the operator norm from l_2 to l_inf) or of a column (from l_1 to
/// l_2). Its dual is the sum of the lengths, and D has the lines -g / ||g||, zero where g is zero.
class LineNorm final : public Geometry {
public:
    explicit LineNorm(Lines lines) : lines_(lines) {}

    OracleResult ball(const OracleContext&, Shape, const float* g, float* d) const override;
    OracleResult ball(const OracleContext&, Shape, const double* g, double* d) const override;
    Scaled norm(const OracleContext&, Shape, const float* x) const override;
    Scaled norm(const OracleContext&, Shape, const double* x) const override;
    Scaled dualNorm(const OracleContext&, Shape, const float*) const override;
    Scaled dualNorm(const OracleContext&, Shape, const double*) const override;
    /// The number of lines times the root of their length.
    double dualNormBound(Shape) const override;

private:
    template <class T>
    OracleResult run(const OracleContext&, Shape, const T* g, T* d) const;
    template <class T>
    Scaled measure(const OracleContext&, Shape, const T* x, bool dual) const;

    Lines lines_;
};

}  // namespace schattor
