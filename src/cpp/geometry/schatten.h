#pragma once

#include <optional>

#include "geometry/routes.h"

namespace schattor {

/// The Schatten-p norm (Lemma 1). The oracle has a closed form for p = 2 and for vectors; else it goes
/// through the table of routes, each falling back to the next more robust one.
class Schatten final : public Geometry {
public:
    struct Options {
        const Route* route = nullptr;             ///< null: chosen anew for each block and exponent
        std::optional<Iteration> iteration = {};  ///< of the Newton-Schulz route
        std::optional<double> rcond = {};         ///< none: max(m, n) eps
        std::optional<double> rtol = {};          ///< none: strict
    };
    Schatten(Value p, Options options);
    explicit Schatten(Value p) : Schatten(p, Options{}) {}

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
    /// Whether the oracle of some exponent may try a route.
    bool mayTry(const Route&, Shape, Dtype) const;
    template <class T>
    OracleResult run(const OracleContext&, Shape, const T* g, T* d) const;
    /// What the first route of `tried` that keeps its promise returns.
    template <class T>
    OracleResult byRoutes(const BallProblem<T>&, const RouteSet& tried) const;
    template <class T>
    Scaled norm(const OracleContext&, Shape, const T* x, double p) const;

    Value p_;
    Options options_;
    mutable RationalFits fits_;  ///< a memory of functions of p, not state
};

}  // namespace schattor
