#include "linalg/panel_products.h"

#include <algorithm>

#include "base/clones.h"

namespace schattor::products {
namespace {

// Eight doubles as two vectors, spelt out where the compiler knows vectors: it does not find this
// blocking itself.
#if defined(__GNUC__)
typedef double Four __attribute__((vector_size(32), aligned(8), may_alias));
struct Eight {
    Four low, high;
};
SCHATTOR_INLINE void load(const double* x, Eight& to) {
    to.low = *reinterpret_cast<const Four*>(x);
    to.high = *reinterpret_cast<const Four*>(x + 4);
}
SCHATTOR_INLINE void store(const Eight& from, double* x) {
    *reinterpret_cast<Four*>(x) = from.low;
    *reinterpret_cast<Four*>(x + 4) = from.high;
}
SCHATTOR_INLINE void addScaled(Eight& sum, double a, const Eight& x) {
    sum.low += a * x.low;
    sum.high += a * x.high;
}
#else
struct Eight {
    double value[8];
};
SCHATTOR_INLINE void load(const double* x, Eight& to) { std::copy_n(x, 8, to.value); }
SCHATTOR_INLINE void store(const Eight& from, double* x) { std::copy_n(from.value, 8, x); }
SCHATTOR_INLINE void addScaled(Eight& sum, double a, const Eight& x) {
    for (int i = 0; i < 8; ++i) sum.value[i] += a * x.value[i];
}
#endif
static_assert(panelWidth == 8);

template <int rows>
SCHATTOR_INLINE void multiplyRows(Index n, const double* a, const double* x, double* y) {
    Eight sum[rows] = {};
    for (Index j = 0; j < n; ++j) {
        Eight at;
        load(x + 8 * j, at);
        for (int r = 0; r < rows; ++r) addScaled(sum[r], a[r * n + j], at);
    }
    for (Index r = 0; r < rows; ++r) store(sum[r], y + 8 * r);
}

template <int rows>
SCHATTOR_INLINE void addRows(Index n, const double* a, const double* x, double* y) {
    Eight factor[rows];
    for (Index r = 0; r < rows; ++r) load(x + 8 * r, factor[r]);
    for (Index j = 0; j < n; ++j) {
        Eight sum;
        load(y + 8 * j, sum);
        for (int r = 0; r < rows; ++r) addScaled(sum, a[r * n + j], factor[r]);
        store(sum, y + 8 * j);
    }
}

}  // namespace

SCHATTOR_CLONES void multiplyPanel(Shape s, const double* a, const double* x, double* y) {
    Index i = 0;
    for (; i + 4 <= s.rows; i += 4) multiplyRows<4>(s.cols, a + i * s.cols, x, y + 8 * i);
    for (; i < s.rows; ++i) multiplyRows<1>(s.cols, a + i * s.cols, x, y + 8 * i);
}

SCHATTOR_CLONES void multiplyTransposedPanel(Shape s, const double* a, const double* x, double* y) {
    std::fill(y, y + 8 * s.cols, 0.0);
    Index i = 0;
    for (; i + 4 <= s.rows; i += 4) addRows<4>(s.cols, a + i * s.cols, x + 8 * i, y);
    for (; i < s.rows; ++i) addRows<1>(s.cols, a + i * s.cols, x + 8 * i, y);
}

}  // namespace schattor::products
