#pragma once

#include <cmath>

namespace schattor {

/// Multiplies by 2^e, exactly but for underflow, by two factors that are in range whatever e.
class PowerOfTwo {
public:
    explicit PowerOfTwo(int e) : first_(std::ldexp(1.0, e / 2)), second_(std::ldexp(1.0, e - e / 2)) {}
    template <class T>
    double operator()(T x) const {
        return static_cast<double>(x) * first_ * second_;
    }

private:
    double first_, second_;
};

}  // namespace schattor
