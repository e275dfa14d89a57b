#include "linalg/sides.h"

#include <algorithm>

#include "linalg/blas.h"
#include "linalg/symmetric_product.h"

namespace schattor {

// The BLAS sees the transposes: X' is cols x rows, and Q stands for Q'.
template <class T>
void multiply(Side side, char trans, Shape shape, const T* q, const T* x, T* out) {
    const Index m = shape.rows, n = shape.cols;
    if (side == Side::left)
        blas::gemm<T>('N', trans == 'T' ? 'T' : 'N', n, m, m, T(1), x, n, q, m, T(0), out, n);
    else
        blas::gemm<T>(trans == 'T' ? 'T' : 'N', 'N', n, m, n, T(1), q, n, x, n, T(0), out, n);
}

template <class T>
void multiply(Factor<T> left, Factor<T> right, Shape shape, const T* x, T* out, Arena& arena) {
    if (left.q == nullptr && right.q == nullptr) {
        std::copy(x, x + shape.size(), out);
        return;
    }
    const ArenaFrame frame(arena);
    const bool both = left.q != nullptr && right.q != nullptr;
    T* half = both ? arena.take<T>(static_cast<std::size_t>(shape.size())) : out;
    if (left.q != nullptr) multiply(Side::left, left.trans, shape, left.q, x, half);
    if (right.q != nullptr) multiply(Side::right, right.trans, shape, right.q, both ? half : x, out);
}

template <class T>
void addGram(Side side, Shape shape, double keep, double weight, const T* x, Index stride, T* s) {
    const bool left = side == Side::left;
    const Index k = sizeOf(side, shape);
    blas::syrk<T>('L', left ? 'T' : 'N', k, left ? shape.cols : shape.rows, static_cast<T>(weight), x, stride,
                  static_cast<T>(keep), s, k);
    symmetric::mirror(k, s);
}

#define SCHATTOR_SIDES(T)                                                         \
    template void multiply<T>(Side, char, Shape, const T*, const T*, T*);         \
    template void multiply<T>(Factor<T>, Factor<T>, Shape, const T*, T*, Arena&); \
    template void addGram<T>(Side, Shape, double, double, const T*, Index, T*);
SCHATTOR_SIDES(float)
SCHATTOR_SIDES(double)
#undef SCHATTOR_SIDES

}  // namespace schattor
