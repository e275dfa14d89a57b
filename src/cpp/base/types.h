#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace schattor {

using Index = std::ptrdiff_t;

/// Shape of the matrix that a block is viewed as: rows = fan-out, cols = fan-in.
struct Shape {
    Index rows = 0;
    Index cols = 0;

    Index size() const { return rows * cols; }
    Index smaller() const { return rows < cols ? rows : cols; }
    Index larger() const { return rows < cols ? cols : rows; }
    bool isVector() const { return rows == 1 || cols == 1; }
};

enum class Dtype { float32, float64 };

template <class T>
inline constexpr Dtype dtypeOf = std::is_same_v<T, float> ? Dtype::float32 : Dtype::float64;

inline std::size_t sizeOf(Dtype dtype) { return dtype == Dtype::float32 ? sizeof(float) : sizeof(double); }

inline double largestFinite(Dtype dtype) {
    return dtype == Dtype::float32 ? static_cast<double>(std::numeric_limits<float>::max())
                                   : std::numeric_limits<double>::max();
}

/// What is smaller than this has lost digits.
inline double smallestNormal(Dtype dtype) {
    return dtype == Dtype::float32 ? static_cast<double>(std::numeric_limits<float>::min())
                                   : std::numeric_limits<double>::min();
}

inline double machineEpsilon(Dtype dtype) {
    return dtype == Dtype::float32 ? static_cast<double>(std::numeric_limits<float>::epsilon())
                                   : std::numeric_limits<double>::epsilon();
}

}  // namespace schattor
