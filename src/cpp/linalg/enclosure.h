#pragma once

#include "base/arena.h"
#include "base/types.h"
#include "linalg/lanczos.h"
#include "linalg/sided_products.h"

/// Proven two-sided bounds of the largest singular values of A, from approximate singular vectors.
///
/// Let B be AA' or A'A, whichever is smaller, and k its order. Q has j orthonormal columns near the leading
/// eigenvectors, and in a basis that starts with Q
///     B = [H R'; R C].
/// The eigenvalues theta_1 >= ... >= theta_j of H never exceed those of B (Cauchy): the lower bounds. If
/// lambda_max(C) <= beta is known, then
///     lambda_i(B) <= f(theta_i),  f(t) = (t + beta)/2 + sqrt(((t - beta)/2)^2 + ||R||^2),  i <= j:
/// for lambda > beta Haynsworth's inertia formula counts the eigenvalues of B above lambda as those of
/// H + R'(lambda - C)^{-1} R <= H + ||R||^2 / (lambda - beta) above lambda, and f(theta_i) is where the i-th
/// of these is reached. For theta_i well above beta the bound is quadratic in the residual R. There are two
/// proofs of lambda_max(C) <= beta:
///   - trace: lambda_max(C) <= trace(C) = ||A||_F^2 - ||A'Q||_F^2, which costs nothing but is far off
///     unless A is close to rank j;
///   - Cholesky: beta I - B + a QQ' is positive definite if its Cholesky factorisation in double ends,
///     up to an error that Demmel's bound limits (Higham, Accuracy and Stability, theorem 10.7; Rump,
///     BIT 46, 2006), and its compression to the complement of Q is beta I - C.
/// All rounding errors are bounded and added, so the bounds hold in floating point.
namespace schattor {

/// B as two products with A; `larger` is room for `width` vectors on the larger side.
class FactoredOperator final : public SymmetricOperator {
public:
    FactoredOperator(const SidedProducts& a, double* larger) : a_(a), larger_(larger) {}
    void apply(Index count, const double* x, double* y) const override {
        a_.toLarger(count, x, larger_);
        a_.toSmaller(count, larger_, y);
    }

private:
    const SidedProducts& a_;
    double* larger_;
};

/// B itself, in double: in the upper triangle of a k x k array whose lower one serves the Cholesky
/// factorisations.
class Gram final : public SymmetricOperator {
public:
    template <class T>
    Gram(Shape shape, const T* a, Arena& arena);

    void apply(Index count, const double* x, double* y) const override;

    /// Whether lambda_max of the compression of B to the complement of span(U) is proven to be below `beta`,
    /// for j vectors U. `frobenius` >= ||A||_F, `top` is an estimate of lambda_max(U'BU). When the
    /// factorisation breaks down, `escape` (of length k, may be null) gets a vector x, roughly orthogonal to
    /// U, with x'Bx >= beta x'x up to rounding.
    bool complementBelow(double beta, Index j, const double* u, double top, double frobenius, double* escape);
    /// How far below `beta` the eigenvalues must lie for the proof to succeed.
    double slack(double beta, Index j, double top, double frobenius) const;

private:
    void fillLower(double shift);
    void findEscape(Index row, double* escape);

    Shape shape_;
    Index k_;
    double* b_;
    double* diagonal_;
};

/// What is known of H and R for approximate eigenvectors U.
struct RitzBlock {
    Index count = 0;
    double* values = nullptr;  ///< Rayleigh quotients theta_i, largest first
    double spread = 0.0;       ///< bounds the distance of the i-th eigenvalue of H from theta_i
    double residual = 0.0;     ///< >= ||R||
    double captured = 0.0;     ///< <= ||A'Q||_F^2
};

/// Measures j vectors of length k that are orthonormal up to rounding. `larger` (j vectors on the larger
/// side) gets A'U; `smaller` is room for one vector of length k, `values` for j numbers.
RitzBlock measure(const SidedProducts& a, Index j, const double* u, double frobenius, double* larger,
                  double* smaller, double* values);

/// f(theta): bounds an eigenvalue of B by the one of H, lambda_max(C) <= beta and ||R|| <= residual.
double upperEigenvalue(double theta, double beta, double residual);

/// ||A||_F^2 and a bound of it; the matrix must be well inside the range of double.
struct Energy {
    double value = 0.0, upper = 0.0;
};
template <class T>
Energy energy(Index n, const T* a);

}  // namespace schattor
