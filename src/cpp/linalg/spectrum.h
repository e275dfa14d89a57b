#pragma once

#include "base/arena.h"
#include "base/types.h"

namespace schattor {

/// Bounds of all eigenvalues of a matrix.
struct SpectrumBounds {
    double low = 0.0;
    double high = 0.0;
    bool proven = false;
};

/// Bounds of the spectrum of the symmetric positive definite k x k matrix A in full: a few Lanczos steps
/// guess them, and Cholesky factorisations of A - low I and high I - A prove them up to rounding errors. The
/// upper bound is some ten percent above the largest eigenvalue as a rule; the lower one may be half of the
/// smallest. Not `proven` where A is too near to singular: where no low of at least high / `widest` holds.
/// `work` is room for a k x k matrix.
template <class T>
SpectrumBounds boundSpectrum(Index k, const T* a, double widest, T* work, Arena& arena);

}  // namespace schattor
