#pragma once

#include "base/types.h"

/// Products of a row-major matrix with vectors of doubles, and sums that carry their rounding errors along.
/// The compensated forms are the Dot2 of Ogita, Rump and Oishi (SIAM J. Sci. Comput. 26, 2005): with the
/// unit roundoff u their error is at most u |x'y| + gamma_n^2 |x|'|y|, gamma_n = n u / (1 - n u), as if
/// computed in twice the working precision. They stay within one thread, so they do not depend on the number
/// of threads.
namespace schattor::products {

/// y = A x
template <class T>
void multiply(Shape shape, const T* a, const double* x, double* y);
/// y = A' x
template <class T>
void multiplyTransposed(Shape shape, const T* a, const double* x, double* y);

/// y = A x, compensated
template <class T>
void multiplyCompensated(Shape shape, const T* a, const double* x, double* y);
/// y = A' x, compensated; `errors` is room for one number per column.
template <class T>
void multiplyTransposedCompensated(Shape shape, const T* a, const double* x, double* y, double* errors);

/// x'y, compensated
template <class T>
double dotCompensated(Index n, const T* x, const T* y);

}  // namespace schattor::products
