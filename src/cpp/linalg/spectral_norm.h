#pragma once

#include <cstdint>
#include <optional>

#include "base/arena.h"
#include "base/types.h"

namespace schattor {

/// How the two bounds were found: a closed form, the trace of what is left, a Cholesky factorisation, or not
/// within the requested accuracy, so that the value comes from dense singular values.
enum class SpectralMethod { closedForm, trace, cholesky, svd };

/// lower <= ||A||_2 <= upper, all times 2^exponent; both bounds hold in floating point, whatever `certified`
/// says.
struct SpectralNorm {
    double value = 0.0, lower = 0.0, upper = 0.0;
    int exponent = 0;
    bool certified = true;  ///< upper - lower <= rtol * value
    SpectralMethod method = SpectralMethod::closedForm;
    int iterations = 0;  ///< products with AA' or A'A
    int fallbacks = 0;   ///< failed proofs, and a dense computation at the end
};

struct SpectralOptions {
    std::optional<double> rtol = {};  ///< none: 1e-7 (float) or 1e-13 (double)
    bool certify = true;  ///< otherwise stop when the estimate has converged, whether proven or not
    std::uint64_t seed = 0;
    /// Start: a right singular vector of a similar matrix, or null.
    const double* start = nullptr;
};

/// The largest singular value of a finite matrix by Golub-Kahan-Lanczos, with a proof (see enclosure.h).
/// `right` (shape.cols numbers) gets the right singular vector, zero for a zero matrix; it may be null.
template <class T>
SpectralNorm spectralNorm(Shape shape, const T* a, const SpectralOptions& options, double* right,
                          Arena& arena);

}  // namespace schattor
