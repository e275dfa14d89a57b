#pragma once

#include "base/arena.h"
#include "base/types.h"
#include "linalg/coefficients.h"

namespace schattor {

/// An iterate X <- (a I + b A + c A^2) X, A = X X' on the smaller side (k x k), of which A is always at hand.
/// A step applies its polynomial to X, or, `deferred`, only to A and to the product Q of the polynomials
/// since X was last formed: polynomials of one symmetric matrix commute, so A <- P A P and Q <- P Q are
/// symmetric products of k x k matrices ("Gram form"). X <- Q X follows with the next step that is not
/// deferred.
template <class T>
class SymmetricIterate {
public:
    /// `x` holds the first iterate and gets the last one from finish().
    SymmetricIterate(Shape shape, T* x, Arena& arena);
    /// Whether deferring saves anything: two steps cost 3 n/k + 1 products of k x k matrices, and with the
    /// first one deferred 1.5 n/k + 2.5. Only then may steps be deferred.
    static bool defers(Shape shape) { return 4 * shape.larger() >= 5 * shape.smaller(); }

    /// The lower triangle of A.
    const T* gram() const { return gram_; }
    /// The lower triangle of A^2; step() then takes it from here.
    const T* square();
    void step(const Triple& triple, bool deferred);
    /// X <- Q X after deferred steps only; A stays the one that they carried along.
    void applyDeferred();
    /// Lower triangle, k x k, of the Cholesky factor of A - shift I; null if that is not positive definite.
    /// Valid until the next step.
    const T* cholesky(T shift);
    /// y = A x
    void multiply(const T* x, T* y);
    void finish();

private:
    void formGram();
    void completeGram();
    void formPolynomial(const Triple& triple);

    Shape shape_;
    Index k_;
    T* result_;
    T* x_;
    T* next_;  // the next iterate; until then a k x k temporary
    T* gram_;
    T* polynomial_;
    T* product_ = nullptr;  // Q while steps are deferred
    bool pending_ = false;
    bool complete_ = false;  // both triangles of A are valid
    bool squared_ = false;   // A^2 is in polynomial_
};

}  // namespace schattor
