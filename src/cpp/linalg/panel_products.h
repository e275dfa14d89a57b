#pragma once

#include "base/types.h"

namespace schattor::products {

/// Vectors that the products below take at a time.
inline constexpr Index panelWidth = 8;

/// Y = A X (A row-major, m x n; X n x 8 and Y m x 8, row-major): a pass over A for eight vectors. BLAS's gemm
/// copies all of A first, which for so few vectors takes as long as the product.
void multiplyPanel(Shape shape, const double* a, const double* x, double* y);
/// Y = A' X
void multiplyTransposedPanel(Shape shape, const double* a, const double* x, double* y);

}  // namespace schattor::products
