#include "linalg/symmetric_product.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "linalg/blas.h"

namespace schattor::symmetric {
namespace {

// Tiles go through a small buffer: a column of the upper triangle is a row of the lower one, and walking
// along rows of a large array misses the cache at every entry, most of all when k is a power of two.
constexpr Index tile = 16;

// Writes the first `height` rows of the tile transposed. Whole tiles go in blocks of four, a size that
// compilers turn into shuffles of registers.
template <class T>
void transposeTile(const T* buffer, Index height, Index width, Index ld, T* out) {
    if (height < tile || width < tile) {
        for (Index r = 0; r < height; ++r)
            for (Index c = 0; c < width; ++c) out[r * ld + c] = buffer[c * tile + r];
        return;
    }
    constexpr Index side = 4;
    for (Index r = 0; r < tile; r += side)
        for (Index c = 0; c < tile; c += side) {
            T block[side][side];
            for (Index y = 0; y < side; ++y)
                for (Index x = 0; x < side; ++x) block[x][y] = buffer[(c + y) * tile + r + x];
            for (Index x = 0; x < side; ++x)
                for (Index y = 0; y < side; ++y) out[(r + x) * ld + c + y] = block[x][y];
        }
}

// Calls finish(i, j, height, width, buffer) to fill buffer[c * tile + r] with the entries (i + r, j + c) of
// each tile of the lower triangle, and writes them to the upper triangle. The tiles on the diagonal are taken
// whole: finish finds the entries above the diagonal in the lower triangle.
template <class T, class Finish>
void mirrorTiles(Index k, T* a, Finish finish) {
    T buffer[tile * tile];
    for (Index j = 0; j < k; j += tile) {
        const Index width = std::min(tile, k - j);
        for (Index i = j; i < k; i += tile) {
            const Index height = std::min(tile, k - i);
            finish(i, j, height, width, buffer);
            T* target = a + i * k + j;
            if (i > j)
                transposeTile(buffer, height, width, k, target);
            else
                for (Index r = 0; r < height; ++r)
                    for (Index c = 0; c < r; ++c) target[r * k + c] = buffer[c * tile + r];
        }
    }
}

}  // namespace

template <class T>
void gram(Shape shape, const T* x, T* out) {
    // Row-major X is the column-major X'.
    const Index k = shape.smaller(), n = shape.larger();
    const bool wide = shape.rows <= shape.cols;
    const char first = wide ? 'T' : 'N', second = wide ? 'N' : 'T';
    if (k < halvedFrom)
        blas::gemm<T>(first, second, k, k, n, T(1), x, shape.cols, x, shape.cols, T(0), out, k);
    else
        blas::gemmt<T>('L', first, second, k, n, T(1), x, shape.cols, x, shape.cols, T(0), out, k);
}

template <class T>
void product(Index k, T alpha, const T* a, const T* b, T beta, T* out) {
    if (k < halvedFrom)
        blas::gemm<T>('N', 'N', k, k, k, alpha, a, k, b, k, beta, out, k);
    else
        blas::gemmt<T>('L', 'N', 'N', k, k, alpha, a, k, b, k, beta, out, k);
}

template <class T>
void mirror(Index k, T* a) {
    mirrorTiles(k, a, [=](Index i, Index j, Index height, Index width, T* buffer) {
        for (Index c = 0; c < width; ++c) std::copy_n(a + (j + c) * k + i, height, buffer + c * tile);
    });
}

template <class T>
void addPolynomial(Index k, T a, T b, T c, const T* matrix, T* out) {
    mirrorTiles(k, out, [=](Index i, Index j, Index height, Index width, T* buffer) {
        for (Index x = 0; x < width; ++x) {
            const T* source = matrix + (j + x) * k + i;
            T* target = out + (j + x) * k + i;
            T* kept = buffer + x * tile;
            for (Index r = 0; r < height; ++r) kept[r] = b * source[r] + c * target[r];
            if (i == j) kept[x] += a;
            std::copy_n(kept, height, target);
        }
    });
}

template <class T>
void apply(Shape shape, const T* p, const T* x, T* out) {
    // gemm and not symm: the triangle that symm would save reading costs it more than mirroring costs here.
    if (shape.rows <= shape.cols)
        blas::gemm<T>('N', 'N', shape.cols, shape.rows, shape.rows, T(1), x, shape.cols, p, shape.rows, T(0),
                      out, shape.cols);
    else
        blas::gemm<T>('N', 'N', shape.cols, shape.rows, shape.cols, T(1), p, shape.cols, x, shape.cols, T(0),
                      out, shape.cols);
}

template <class T>
Distance distance(Index k, const T* a) {
    Distance result;
    double diagonal = 0.0, below = 0.0;
    for (Index j = 0; j < k; ++j) {
        const T* column = a + j * k;
        const auto entry = static_cast<double>(column[j]);
        result.trace += entry;
        diagonal += (1.0 - entry) * (1.0 - entry);
        below += kernels::sumOfSquares(k - j - 1, column + j + 1);
    }
    result.fromIdentity = std::sqrt(diagonal + 2.0 * below);
    return result;
}

#define SCHATTOR_INSTANTIATE(T)                                    \
    template void gram<T>(Shape, const T*, T*);                    \
    template void product<T>(Index, T, const T*, const T*, T, T*); \
    template void mirror<T>(Index, T*);                            \
    template void addPolynomial<T>(Index, T, T, T, const T*, T*);  \
    template void apply<T>(Shape, const T*, const T*, T*);         \
    template Distance distance<T>(Index, const T*);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)

}  // namespace schattor::symmetric
