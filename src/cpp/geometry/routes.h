#pragma once

#include <bitset>
#include <optional>
#include <span>
#include <string_view>

#include "geometry/ball_problem.h"

namespace schattor {

/// What a route costs for a k x n block, k <= n, in nanoseconds on one thread in single precision.
struct RouteCost {
    double fixed = 0.0;    ///< a call
    double square = 0.0;   ///< times k^2
    double cube = 0.0;     ///< times k^3
    double product = 0.0;  ///< times k^2 (n - k)

    double at(Shape) const;
};

/// A way to compute the ball oracle of a Schatten norm: a row of the table in routes.cpp. A new one adds its
/// files and its row; the names and descriptions of backends, what `auto` may choose, and what is calibrated
/// are read from there.
struct Route {
    std::string_view name;
    std::string_view description;  ///< for users, one sentence
    /// Whether there is an algorithm for this shape and these exponents.
    bool (*serves)(Shape, const Exponents&);
    /// Whether `auto` may expect the requested accuracy (0: strict) of it; null: `auto` never takes it.
    bool (*promises)(Shape, Dtype, double rtol);
    std::optional<RouteCost> cost;  ///< as compiled in: medians of st.calibrate() on one core
    double inDouble = 1.0;          ///< times the cost, unless the request lets it work in single precision
    /// For matrices of any conditioning. Others decline more often, and must beat all general ones in cost.
    bool general = true;
    /// For p = inf only: writes minus a polar factor and its own residual, and the dual norm is what that
    /// attains.
    bool polar = false;
    bool shares = false;  ///< can share its work among a team
    /// False when it cannot promise the accuracy; the result is untouched then, and the next route follows.
    bool (*inFloat)(const BallProblem<float>&, OracleResult&);
    bool (*inDoubles)(const BallProblem<double>&, OracleResult&);

    bool run(const BallProblem<float>& problem, OracleResult& result) const {
        return inFloat(problem, result);
    }
    bool run(const BallProblem<double>& problem, OracleResult& result) const {
        return inDoubles(problem, result);
    }
};

/// The table, in the order in which routes are tried. The last one, the SVD, always succeeds.
std::span<const Route> routes();

/// The route of this name; null when there is none.
const Route* findRoute(std::string_view name);

/// Positions in the table.
using RouteSet = std::bitset<16>;

/// The routes that `auto` tries: those that can be expected to be accurate enough and that are cheaper than
/// what would follow.
RouteSet chooseRoutes(Shape, Dtype, const Exponents&, double rtol);

/// A named route, and the SVD to fall back to.
RouteSet onlyRoute(const Route&);

/// The cost of a row of the table in use: compiled in, or of this machine (setCost). Like the number of BLAS
/// threads they belong to the process.
std::optional<RouteCost> costOf(const Route&);
void setCost(const Route&, const RouteCost&);

}  // namespace schattor
