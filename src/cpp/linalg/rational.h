#pragma once

#include <array>
#include <cstddef>
#include <mutex>

namespace schattor {

/// x^power on [low, 1] as a sum of partial fractions, constant + sum_j weight_j / (x + pole_j) with positive
/// poles. What matters of a matrix function f in the oracle f(G G') G is sqrt(x) f(x): `error` is the largest
/// |sqrt(x) (x^power - r(x))| found on a fine grid of [low, 1], or of (0, 1] for a positive power.
struct RationalPower {
    static constexpr int mostPoles = 36;

    double power = 0.0;
    double low = 1.0;
    double error = 0.0;
    double constant = 0.0;
    int count = 0;
    std::array<double, mostPoles> pole{};
    std::array<double, mostPoles> weight{};

    double operator()(double x) const;
};

/// The approximation with the fewest poles whose error is at most `tolerance`, or the best one that
/// RationalPower can hold: poles at equal distances in log x, weights by least squares. Allocates nothing.
/// Serves -1/2 <= power <= 1, which is p >= 4/3.
RationalPower fitPower(double power, double low, double tolerance);

/// The approximations made so far, each fitted once, by whichever thread wants it first.
class RationalFits {
public:
    /// Serves the interval and the tolerance rounded down to a power of ten and of its root.
    RationalPower get(double power, double low, double tolerance);

private:
    struct Entry {
        double power, low, tolerance;
        RationalPower fit;
    };
    std::mutex mutex_;
    std::array<Entry, 32> entries_{};
    std::size_t made_ = 0;
};

}  // namespace schattor
