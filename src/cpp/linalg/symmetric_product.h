#pragma once

#include "base/types.h"

/// Products whose result is symmetric, at half the multiplications. A symmetric matrix is k x k, without
/// padding; "lower" says that only its lower triangle (column-major, the BLAS's view) holds it. Below
/// `halvedFrom` the triangle saves nothing and whole products are taken.
namespace schattor::symmetric {

inline constexpr Index halvedFrom = 48;

/// Lower triangle of X X' for wide X and of X' X for tall X.
template <class T>
void gram(Shape shape, const T* x, T* out);

/// Lower triangle of out = alpha A B + beta out for symmetric A and B that commute, as polynomials of one
/// matrix do.
template <class T>
void product(Index k, T alpha, const T* a, const T* b, T beta, T* out);

/// Copies the lower triangle to the upper one.
template <class T>
void mirror(Index k, T* a);

/// out = a I + b A + c out in full, from the lower triangles of A and out.
template <class T>
void addPolynomial(Index k, T a, T b, T c, const T* matrix, T* out);

/// out = P X for wide X and X P for tall X, P symmetric and full.
template <class T>
void apply(Shape shape, const T* p, const T* x, T* out);

/// trace(A) and ||I - A||_F of the lower triangle of A, summed in double.
struct Distance {
    double trace = 0.0;
    double fromIdentity = 0.0;
};
template <class T>
Distance distance(Index k, const T* a);

}  // namespace schattor::symmetric
