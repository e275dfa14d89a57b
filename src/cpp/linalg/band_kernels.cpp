#include "linalg/band_kernels.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/clones.h"

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"  // vectors stay inside this file
#endif

namespace schattor::band {
namespace {

// Pivots below this are rounding errors of a T whose norm is near one.
constexpr double smallestPivot = 1e-18;
// Most poles that one call of column takes.
constexpr Index mostPoles = 8;

#if defined(__GNUC__)
/// Four doubles at any address, for the compiler to keep in one register where the processor has such.
typedef double Pack __attribute__((vector_size(32), aligned(8)));
#else
struct Pack {
    double x[4];
    Pack& operator+=(const Pack& y) { return *this = *this + y; }
    friend Pack operator+(Pack a, const Pack& y) {
        for (int i = 0; i < 4; ++i) a.x[i] += y.x[i];
        return a;
    }
    friend Pack operator*(double a, Pack y) {
        for (double& v : y.x) v *= a;
        return y;
    }
    friend Pack operator-(const Pack& y) { return -1.0 * y; }
};
#endif
constexpr Index packed = 4;

SCHATTOR_INLINE Pack load(const double* x) { return *reinterpret_cast<const Pack*>(x); }
SCHATTOR_INLINE void save(double* x, const Pack& p) { *reinterpret_cast<Pack*>(x) = p; }

// A X for b x b blocks, in tiles of 8 x 4 that stay in registers; store(i, p) receives the entries from
// number i on.
template <Index b, class Store>
SCHATTOR_INLINE void multiply(const double* a, const double* x, const Store& store) {
    constexpr Index high = b < 8 ? 1 : 2, wide = 4;
    for (Index c = 0; c < b; c += wide)
        for (Index top = 0; top < b; top += high * packed) {
            Pack sum[wide][high] = {};
            for (Index l = 0; l < b; ++l) {
                Pack column[high];
                for (Index h = 0; h < high; ++h) column[h] = load(a + l * b + top + h * packed);
                for (Index w = 0; w < wide; ++w)
                    for (Index h = 0; h < high; ++h) sum[w][h] += x[(c + w) * b + l] * column[h];
            }
            for (Index w = 0; w < wide; ++w)
                for (Index h = 0; h < high; ++h) store((c + w) * b + top + h * packed, sum[w][h]);
        }
}

template <Index b>
SCHATTOR_INLINE void transpose(const double* a, double* out) {
    for (Index c = 0; c < b; ++c)
        for (Index r = 0; r < b; ++r) out[c * b + r] = a[r * b + c];
}

// The inverse of a symmetric block by Gauss-Jordan elimination without pivoting, which is stable for positive
// definite ones. Returns the number of negative pivots.
template <Index b>
SCHATTOR_INLINE Index invert(double* a) {
    Index negative = 0;
    for (Index p = 0; p < b; ++p) {
        double pivot = a[p * b + p];
        if (!(std::abs(pivot) > smallestPivot)) pivot = -smallestPivot;
        const double inverse = 1.0 / pivot;
        negative += pivot < 0.0;
        double column[b], row[b];
        for (Index r = 0; r < b; ++r) {
            column[r] = r == p ? 0.0 : a[p * b + r];
            row[r] = r == p ? inverse : a[r * b + p] * inverse;
        }
        for (Index r = 0; r < b; ++r) a[p * b + r] = 0.0;
        for (Index c = 0; c < b; ++c) {
            a[c * b + p] = 0.0;
            for (Index r = 0; r < b; ++r) a[c * b + r] -= column[r] * row[c];
            a[c * b + p] = row[c];
        }
        for (Index r = 0; r < b; ++r)
            if (r != p) a[p * b + r] = -column[r] * inverse;
    }
    return negative;
}

template <Index b>
SCHATTOR_INLINE void assembleLoop(Index blocks, const double* stack, double* diagonal, double* below) {
    constexpr Index bb = b * b;
    std::fill(diagonal, diagonal + blocks * bb, 0.0);
    for (Index J = 0; J < blocks; ++J) {
        double above[bb], own[bb], turned[bb];
        for (Index c = 0; c < b; ++c)
            for (Index r = 0; r < b; ++r) {
                above[c * b + r] = stack[(J * b + c) * 2 * b + r];
                own[c * b + r] = stack[(J * b + c) * 2 * b + b + r];
            }
        const auto addTo = [&](double* block) {
            return [block](Index i, Pack sum) { save(block + i, load(block + i) + sum); };
        };
        transpose<b>(own, turned);
        multiply<b>(own, turned, addTo(diagonal + J * bb));
        if (J == 0) continue;
        transpose<b>(above, turned);
        multiply<b>(above, turned, addTo(diagonal + (J - 1) * bb));
        std::fill(below + (J - 1) * bb, below + J * bb, 0.0);
        multiply<b>(own, turned, addTo(below + (J - 1) * bb));
    }
}

template <Index b>
SCHATTOR_INLINE Index eliminateLoop(Index blocks, const double* diagonal, const double* below, double shift,
                                    double* ratios, double* inverses) {
    constexpr Index bb = b * b;
    Index negative = 0;
    for (Index J = blocks - 1; J >= 0; --J) {
        double* delta = inverses + J * bb;
        std::copy(diagonal + J * bb, diagonal + (J + 1) * bb, delta);
        for (Index r = 0; r < b; ++r) delta[r * b + r] += shift;
        if (J + 1 < blocks) {
            double* ratio = ratios + J * bb;
            double turned[bb];
            multiply<b>(inverses + (J + 1) * bb, below + J * bb,
                        [&](Index i, Pack sum) { save(ratio + i, -sum); });
            transpose<b>(below + J * bb, turned);
            multiply<b>(turned, ratio, [&](Index i, Pack sum) { save(delta + i, load(delta + i) + sum); });
        }
        negative += invert<b>(delta);
    }
    return negative;
}

template <Index b>
SCHATTOR_INLINE void diagonalLoop(Index blocks, const double* ratios, double* inverses) {
    constexpr Index bb = b * b;
    for (Index J = 0; J + 1 < blocks; ++J) {
        double half[bb], turned[bb];
        double* next = inverses + (J + 1) * bb;
        multiply<b>(ratios + J * bb, inverses + J * bb, [&](Index i, Pack sum) { save(half + i, sum); });
        transpose<b>(ratios + J * bb, turned);
        multiply<b>(half, turned, [&](Index i, Pack sum) { save(next + i, load(next + i) + sum); });
    }
}

template <Index b>
SCHATTOR_INLINE void columnLoop(Index blocks, Index first, Index poles, Index stride, const double* weights,
                                const double* ratios, const double* inverses, bool add, double* f,
                                Index ldf) {
    constexpr Index bb = b * b;
    double x[mostPoles * bb], sum[bb], next[bb];
    const auto store = [&](Index J) {
        double* down = f + first * b * ldf + J * b;
        double* across = f + J * b * ldf + first * b;
        for (Index c = 0; c < b; ++c)
            for (Index r = 0; r < b; ++r) {
                const double value = sum[c * b + r] + (add ? down[c * ldf + r] : 0.0);
                down[c * ldf + r] = value;
            }
        if (J == first) return;
        for (Index c = 0; c < b; ++c)
            for (Index r = 0; r < b; ++r) across[c * ldf + r] = down[r * ldf + c];
    };
    std::fill(sum, sum + bb, 0.0);
    for (Index j = 0; j < poles; ++j)
        for (Index i = 0; i < bb; ++i) {
            x[j * bb + i] = weights[j] * inverses[j * stride + first * bb + i];
            sum[i] += x[j * bb + i];
        }
    store(first);
    for (Index J = first; J + 1 < blocks; ++J) {
        std::fill(sum, sum + bb, 0.0);
        for (Index j = 0; j < poles; ++j) {
            double* state = x + j * bb;
            multiply<b>(ratios + j * stride + J * bb, state, [&](Index i, Pack part) {
                save(next + i, part);
                save(sum + i, load(sum + i) + part);
            });
            std::copy(next, next + bb, state);
        }
        store(J + 1);
    }
}

#define SCHATTOR_WIDTH(b)                                                                                  \
    SCHATTOR_CLONES void assemble##b(Index blocks, const double* stack, double* diagonal, double* below) { \
        assembleLoop<b>(blocks, stack, diagonal, below);                                                   \
    }                                                                                                      \
    SCHATTOR_CLONES Index eliminate##b(Index blocks, const double* diagonal, const double* below,          \
                                       double shift, double* ratios, double* inverses) {                   \
        return eliminateLoop<b>(blocks, diagonal, below, shift, ratios, inverses);                         \
    }                                                                                                      \
    SCHATTOR_CLONES void diagonalBlocks##b(Index blocks, const double* ratios, double* inverses) {         \
        diagonalLoop<b>(blocks, ratios, inverses);                                                         \
    }                                                                                                      \
    SCHATTOR_CLONES void column##b(Index blocks, Index first, Index poles, Index stride,                   \
                                   const double* weights, const double* ratios, const double* inverses,    \
                                   bool add, double* f, Index ldf) {                                       \
        columnLoop<b>(blocks, first, poles, stride, weights, ratios, inverses, add, f, ldf);               \
    }                                                                                                      \
    constexpr Kernels kernels##b = {&assemble##b, &eliminate##b, &diagonalBlocks##b, &column##b};
SCHATTOR_WIDTH(4)
SCHATTOR_WIDTH(8)
SCHATTOR_WIDTH(16)
SCHATTOR_WIDTH(32)

}  // namespace

const Kernels& kernels(Index width) {
    switch (width) {
        case 4:
            return kernels4;
        case 8:
            return kernels8;
        case 16:
            return kernels16;
        case 32:
            return kernels32;
        default:
            throw std::logic_error("no band kernels of this width");
    }
}

}  // namespace schattor::band
