#pragma once

#include <cmath>
#include <limits>

#include "base/types.h"

namespace schattor {

/// A non-negative number value * 2^exponent. Norms travel in this form, because a norm of finite
/// entries can exceed the range of double while ratios of norms do not.
struct Scaled {
    double value = 0.0;
    int exponent = 0;

    bool isZero() const { return value == 0.0; }
    /// The number itself; infinite when it exceeds double.
    double full() const { return std::ldexp(value, exponent); }
    /// The number as this dtype holds it: infinite beyond its range.
    double in(Dtype dtype) const {
        const double x = full();
        return x > largestFinite(dtype) ? std::numeric_limits<double>::infinity() : x;
    }
    /// The number divided by 2^e.
    double relativeTo(int e) const { return std::ldexp(value, exponent - e); }

    Scaled times(double factor) const { return {value * factor, exponent}; }
    Scaled squared() const { return {value * value, 2 * exponent}; }
    Scaled root() const {
        const int odd = exponent % 2;
        return {std::sqrt(std::ldexp(value, odd)), (exponent - odd) / 2};
    }
    Scaled plus(const Scaled& other) const {
        if (exponent == other.exponent) return {value + other.value, exponent};
        if (isZero() || other.isZero()) return isZero() ? other : *this;
        const Scaled a = normalized(), b = other.normalized();
        const int top = a.exponent > b.exponent ? a.exponent : b.exponent;
        return {a.relativeTo(top) + b.relativeTo(top), top};
    }
    /// The same number with value in [1/2, 1).
    Scaled normalized() const {
        int shift = 0;
        const double mantissa = std::frexp(value, &shift);
        return {mantissa, isZero() ? 0 : exponent + shift};
    }
};

}  // namespace schattor
