#pragma once

#include <cmath>

#include "base/arena.h"
#include "base/power_of_two.h"
#include "base/types.h"

namespace schattor {

enum class Lines { rows, columns };

inline Index countOf(Lines lines, Shape s) { return lines == Lines::rows ? s.rows : s.cols; }

/// The Euclidean length of a row or column: 2^exponent value, in the line's own scale, so that no square
/// leaves the range.
struct LineLength {
    PowerOfTwo unscale{0};  ///< times 2^-exponent: brings the entries to at most one
    double value = 0.0;
    int exponent = 0;

    double full() const { return std::ldexp(value, exponent); }
    /// An entry of the line over its length, zero on a zero line.
    template <class T>
    double share(T x) const {
        return value > 0.0 ? unscale(x) / value : 0.0;
    }
};

/// The lengths of all lines of a finite x, in `arena`.
template <class T>
LineLength* lineLengths(Lines lines, Shape s, const T* x, Arena& arena);

/// Replaces every length by sqrt(length^2 + eps).
void damp(LineLength* lengths, Index count, double eps);

/// out = x, each line divided by sqrt(length^2 + eps); zero where that is zero. `out` may be x.
template <class T>
void normalizeLines(Lines lines, Shape s, const T* x, double eps, T* out, Arena& arena);

/// out = x, each line multiplied by its factor. `out` may be x.
template <class T>
void scaleLines(Lines lines, Shape s, const T* x, const double* factors, T* out);

/// out = a x + b y with factors a and b for each line. `out` may be x or y.
template <class T>
void combineLines(Lines lines, Shape s, const double* a, const T* x, const double* b, const T* y, T* out);

/// The inner products of the lines of x with those of y, unscaled.
template <class T>
void dotLines(Lines lines, Shape s, const T* x, const T* y, double* out);

}  // namespace schattor
