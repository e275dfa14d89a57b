#include "linalg/sided_products.h"

#include <algorithm>

#include "linalg/blas.h"
#include "linalg/panel_products.h"
#include "linalg/products.h"
#include "linalg/rounding.h"

namespace schattor {
namespace {

// Vectors up to which passes over A beat a gemm that copies A first.
constexpr Index mostByPanels = 16;

}  // namespace

template <class T>
void VectorProducts<T>::multiply(bool transposed, const double* x, double* y) const {
    if (errors_ == nullptr)
        transposed ? products::multiplyTransposed(shape, a_, x, y) : products::multiply(shape, a_, x, y);
    else if (transposed)
        products::multiplyTransposedCompensated(shape, a_, x, y, errors_);
    else
        products::multiplyCompensated(shape, a_, x, y);
}

template <class T>
void VectorProducts<T>::toLarger(Index count, const double* x, double* z) const {
    for (Index i = 0; i < count; ++i) multiply(wide(), x + i * shape.smaller(), z + i * shape.larger());
}

template <class T>
void VectorProducts<T>::toSmaller(Index count, const double* z, double* x) const {
    for (Index i = 0; i < count; ++i) multiply(!wide(), z + i * shape.larger(), x + i * shape.smaller());
}

template <class T>
double VectorProducts<T>::error(double spectral, double frobenius) const {
    // || |A| |x| || <= ||A||_F ||x||, for both forms of the sums.
    const double g = gamma(shape.larger());
    return errors_ == nullptr ? g * frobenius : 2.0 * unitRoundoff * spectral + g * g * frobenius;
}

// Up to eight vectors: they are turned round, so that a row holds one entry of each.
void BlockProducts::multiplyPanel(bool transposed, Index count, const double* x, double* y) const {
    const Index from = transposed ? shape.rows : shape.cols, to = transposed ? shape.cols : shape.rows;
    double *turned = work_, *result = work_ + products::panelWidth * from;
    for (Index i = 0; i < from; ++i)
        for (Index l = 0; l < products::panelWidth; ++l)
            turned[i * products::panelWidth + l] = l < count ? x[l * from + i] : 0.0;
    transposed ? products::multiplyTransposedPanel(shape, a_, turned, result)
               : products::multiplyPanel(shape, a_, turned, result);
    for (Index l = 0; l < count; ++l)
        for (Index i = 0; i < to; ++i) y[l * to + i] = result[i * products::panelWidth + l];
}

void BlockProducts::multiply(bool transposed, Index count, const double* x, double* y) const {
    const Index m = shape.rows, n = shape.cols;
    const Index from = transposed ? m : n, to = transposed ? n : m;
    if (count == 1) {
        transposed ? products::multiplyTransposed(shape, a_, x, y) : products::multiply(shape, a_, x, y);
    } else if (count > mostByPanels) {
        blas::gemm<double>(transposed ? 'N' : 'T', 'N', to, count, from, 1.0, a_, n, x, from, 0.0, y, to);
    } else {
        for (Index i = 0; i < count; i += products::panelWidth)
            multiplyPanel(transposed, std::min(products::panelWidth, count - i), x + i * from, y + i * to);
    }
}

void BlockProducts::toLarger(Index count, const double* x, double* z) const { multiply(wide(), count, x, z); }

void BlockProducts::toSmaller(Index count, const double* z, double* x) const {
    multiply(!wide(), count, z, x);
}

double BlockProducts::error(double, double frobenius) const { return gamma(shape.larger()) * frobenius; }

template class VectorProducts<float>;
template class VectorProducts<double>;

}  // namespace schattor
