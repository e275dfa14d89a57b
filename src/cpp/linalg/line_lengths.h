#pragma once

#include "base/arena.h"
#include "base/types.h"

namespace schattor {

enum class Lines { rows, columns };

inline Index countOf(Lines lines, Shape s) { return lines == Lines::rows ? s.rows : s.cols; }

/// The power of two that brings the entries to at most one.
template <class T>
int exponentOf(Shape s, const T* x);

/// Euclidean lengths of the lines of x / 2^exponent, in `arena`; x / 2^exponent must be at most one. A line
/// far below the largest entry is measured in its own scale, so that no square vanishes.
template <class T>
double* lineLengths(Lines lines, Shape s, const T* x, int exponent, Arena& arena);

/// out = x, each line divided by sqrt(length^2 + eps); zero where that is zero. `out` may be x.
template <class T>
void normalizeLines(Lines lines, Shape s, const T* x, double eps, T* out, Arena& arena);

/// out = x, each line multiplied by its factor. `out` may be x.
template <class T>
void scaleLines(Lines lines, Shape s, const T* x, const double* factors, T* out);

/// Arena bytes that lineLengths and normalizeLines take.
inline std::size_t lineLengthsScratch(Lines lines, Shape s) {
    return Arena::bytesFor<double>(static_cast<std::size_t>(countOf(lines, s)));
}

}  // namespace schattor
