#pragma once

#include "base/types.h"

/// Products on the smaller side of a matrix: a wide one stands for the transpose of a tall one. With m >= n
/// the k x k matrices, k = n, are X'Y and act from the right; with m < n they are X Y' and act from the left.
namespace schattor::smaller_side {

/// out = X'Y for tall X, X Y' for wide X; k x k, row-major.
template <class T>
void cross(Shape shape, const T* x, const T* y, T* out);

/// out = alpha X Q + beta out for tall X, alpha Q'X + beta out for wide X.
template <class T>
void apply(Shape shape, T alpha, const T* x, const T* q, T beta, T* out);

}  // namespace schattor::smaller_side
