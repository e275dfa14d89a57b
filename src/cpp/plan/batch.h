#pragma once

#include <optional>
#include <span>

#include "geometry/geometry.h"

namespace schattor {

/// The ball directions of results.size() matrices of one shape, which lie one behind the other in `g`, into
/// `d`, on at most `limit` threads (none: defaultThreads()). Each matrix is the work of one thread, with one
/// BLAS thread, unless there are too few large ones for that; then threads share the work on each. Matrices
/// that hold NaN or Inf are left out; returns the number of such entries.
template <class T>
Index batchedBall(const Geometry&, Shape, std::span<OracleResult> results, const T* g, T* d,
                  std::optional<int> limit, bool measure);

}  // namespace schattor
