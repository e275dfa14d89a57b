#include "linalg/products.h"

#include <algorithm>
#include <cmath>

#include "base/clones.h"

// This file is compiled without contraction of a * b + c into one operation: the compensated sums need every
// rounding to happen where it is written.

namespace schattor::products {
namespace {

constexpr Index lanes = 8;

// sum + error = exact sum of both, as long as nothing overflows (Knuth's TwoSum).
SCHATTOR_INLINE double addTo(double& sum, double x) {
    const double total = sum + x;
    const double part = total - sum;
    const double error = (sum - (total - part)) + (x - part);
    sum = total;
    return error;
}

// x y + sum: the rounded result stays in sum, what was lost is returned.
SCHATTOR_INLINE double addProduct(double& sum, double x, double y) {
    const double product = x * y;
    return std::fma(x, y, -product) + addTo(sum, product);
}

template <class X, class Y>
SCHATTOR_INLINE double dotLoop(Index n, const X* x, const Y* y) {
    double sum[2 * lanes] = {};
    Index i = 0;
    for (; i + 2 * lanes <= n; i += 2 * lanes)
        for (Index j = 0; j < 2 * lanes; ++j)
            sum[j] += static_cast<double>(x[i + j]) * static_cast<double>(y[i + j]);
    for (; i < n; ++i) sum[0] += static_cast<double>(x[i]) * static_cast<double>(y[i]);
    double total = 0.0;
    for (const double part : sum) total += part;
    return total;
}

template <class X, class Y>
SCHATTOR_INLINE double compensatedDotLoop(Index n, const X* x, const Y* y) {
    double sum[lanes] = {}, lost[lanes] = {};
    Index i = 0;
    for (; i + lanes <= n; i += lanes)
        for (Index j = 0; j < lanes; ++j)
            lost[j] += addProduct(sum[j], static_cast<double>(x[i + j]), static_cast<double>(y[i + j]));
    for (; i < n; ++i) lost[0] += addProduct(sum[0], static_cast<double>(x[i]), static_cast<double>(y[i]));
    double total = 0.0, error = 0.0;
    for (Index j = 0; j < lanes; ++j) error += lost[j] + addTo(total, sum[j]);
    return total + error;
}

template <class T>
SCHATTOR_INLINE void multiplyLoop(Shape s, const T* a, const double* x, double* y) {
    for (Index i = 0; i < s.rows; ++i) y[i] = dotLoop(s.cols, a + i * s.cols, x);
}

template <class T>
SCHATTOR_INLINE void multiplyTransposedLoop(Shape s, const T* a, const double* x, double* y) {
    std::fill(y, y + s.cols, 0.0);
    Index i = 0;
    for (; i + 4 <= s.rows; i += 4) {
        const T* row = a + i * s.cols;
        const T *r1 = row + s.cols, *r2 = r1 + s.cols, *r3 = r2 + s.cols;
        SCHATTOR_IVDEP
        for (Index j = 0; j < s.cols; ++j)
            y[j] += (x[i] * static_cast<double>(row[j]) + x[i + 1] * static_cast<double>(r1[j])) +
                    (x[i + 2] * static_cast<double>(r2[j]) + x[i + 3] * static_cast<double>(r3[j]));
    }
    for (; i < s.rows; ++i) {
        const T* row = a + i * s.cols;
        SCHATTOR_IVDEP
        for (Index j = 0; j < s.cols; ++j) y[j] += x[i] * static_cast<double>(row[j]);
    }
}

template <class T>
SCHATTOR_INLINE void compensatedLoop(Shape s, const T* a, const double* x, double* y) {
    for (Index i = 0; i < s.rows; ++i) y[i] = compensatedDotLoop(s.cols, a + i * s.cols, x);
}

template <class T>
SCHATTOR_INLINE void compensatedTransposedLoop(Shape s, const T* a, const double* x, double* y,
                                               double* errors) {
    std::fill(y, y + s.cols, 0.0);
    std::fill(errors, errors + s.cols, 0.0);
    for (Index i = 0; i < s.rows; ++i) {
        const T* row = a + i * s.cols;
        SCHATTOR_IVDEP
        for (Index j = 0; j < s.cols; ++j) errors[j] += addProduct(y[j], x[i], static_cast<double>(row[j]));
    }
    for (Index j = 0; j < s.cols; ++j) y[j] += errors[j];
}

}  // namespace

#define SCHATTOR_DEFINE(T)                                                                                 \
    template <>                                                                                            \
    SCHATTOR_CLONES void multiply<T>(Shape s, const T* a, const double* x, double* y) {                    \
        multiplyLoop(s, a, x, y);                                                                          \
    }                                                                                                      \
    template <>                                                                                            \
    SCHATTOR_CLONES void multiplyTransposed<T>(Shape s, const T* a, const double* x, double* y) {          \
        multiplyTransposedLoop(s, a, x, y);                                                                \
    }                                                                                                      \
    template <>                                                                                            \
    SCHATTOR_CLONES void multiplyCompensated<T>(Shape s, const T* a, const double* x, double* y) {         \
        compensatedLoop(s, a, x, y);                                                                       \
    }                                                                                                      \
    template <>                                                                                            \
    SCHATTOR_CLONES void multiplyTransposedCompensated<T>(Shape s, const T* a, const double* x, double* y, \
                                                          double* errors) {                                \
        compensatedTransposedLoop(s, a, x, y, errors);                                                     \
    }                                                                                                      \
    template <>                                                                                            \
    SCHATTOR_CLONES double dotCompensated<T>(Index n, const T* x, const T* y) {                            \
        return compensatedDotLoop(n, x, y);                                                                \
    }
SCHATTOR_DEFINE(float)
SCHATTOR_DEFINE(double)

}  // namespace schattor::products
