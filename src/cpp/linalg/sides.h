#pragma once

#include "base/arena.h"
#include "base/types.h"

/// Products with square matrices on one side of a row-major matrix X.
namespace schattor {

enum class Side { left, right };
inline constexpr Side bothSides[] = {Side::left, Side::right};

inline Index sizeOf(Side side, Shape shape) { return side == Side::left ? shape.rows : shape.cols; }

/// out = op(Q) X (left) or X op(Q) (right), op being the transposition where `trans` is 'T', not where it is
/// 'N'. `out` is not X.
template <class T>
void multiply(Side side, char trans, Shape shape, const T* q, const T* x, T* out);

/// A square factor op(Q) of a product; none where `q` is null.
template <class T>
struct Factor {
    const T* q = nullptr;
    char trans = 'N';
};

/// out = op(L) X op(R). `out` is not X; where both factors are there, the arena holds a matrix like X.
template <class T>
void multiply(Factor<T> left, Factor<T> right, Shape shape, const T* x, T* out, Arena& arena);

/// S <- keep S + weight X X' (left) or keep S + weight X'X (right), S symmetric and full. The rows of X are
/// `stride` apart.
template <class T>
void addGram(Side side, Shape shape, double keep, double weight, const T* x, Index stride, T* s);

}  // namespace schattor
