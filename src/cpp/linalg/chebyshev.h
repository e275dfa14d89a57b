#pragma once

#include <array>

#include "base/types.h"

namespace schattor {

/// x^power on [low, 1] as a sum of Chebyshev polynomials of y = (2 x - 1 - low) / (1 - low), which runs over
/// [-1, 1]. `error` bounds |x^power - sum| there, and so sqrt(x) times it, which is what matters of f in the
/// oracle f(G G') G.
struct ChebyshevPower {
    static constexpr int mostDegree = 32;

    double low = 1.0;
    double error = 0.0;
    int degree = 0;
    std::array<double, mostDegree + 1> coefficient{};
};

/// The sum of least degree whose error is at most `tolerance`, or that of the largest degree.
ChebyshevPower fitChebyshev(double power, double low, double tolerance);

/// The sum for the matrix A with spectrum in [low, 1], by Paterson and Stockmeyer's scheme in the Chebyshev
/// basis: about 2 sqrt(degree) symmetric products.
template <class T>
class ChebyshevMatrix {
public:
    /// `room` holds roomFor(degree) k x k matrices; the first is A in full, and is overwritten.
    ChebyshevMatrix(Index k, const ChebyshevPower& f, T* room);
    static constexpr Index roomFor(int degree) { return strideFor(degree) + 2; }

    /// F, symmetric and in full, somewhere in the room.
    T* evaluate();
    /// tr(A F), after evaluate().
    double trace() const;

private:
    static constexpr int strideFor(int degree) { return degree <= 15 ? 3 : 4; }
    T* matrix(Index i) const { return room_ + i * k_ * k_; }
    const T* power(int i) const { return matrix(i - 1); }  ///< T_i(Y), 1 <= i <= stride
    void formPowers();
    void collect(const double* block, double ofStride, bool subtract, T* out) const;

    Index k_;
    const ChebyshevPower& f_;
    int stride_;
    T* room_;
    const T* result_ = nullptr;
};

}  // namespace schattor
