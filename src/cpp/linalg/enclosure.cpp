#include "linalg/enclosure.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/kernels.h"
#include "linalg/blas.h"
#include "linalg/products.h"
#include "linalg/rounding.h"

namespace schattor {
namespace {

// What is added in the directions of U: more than the largest eigenvalue there.
double weight(double top) { return 2.0 * top; }

// Columns (of a wide matrix) or rows (of a tall one) of A that are turned into double at a time.
constexpr Index panel = 256;

// Adds the products of some columns (wide) or rows (tall) of A, turned into double, to the upper triangle of
// B.
template <class T>
void addPanel(Shape s, const T* a, Index first, Index count, double* work, double* b) {
    const double beta = first == 0 ? 0.0 : 1.0;
    if (s.rows <= s.cols) {
        for (Index i = 0; i < s.rows; ++i) std::copy_n(a + i * s.cols + first, count, work + i * count);
        blas::syrk<double>('U', 'T', s.rows, count, 1.0, work, count, beta, b, s.rows);
    } else {
        std::copy_n(a + first * s.cols, count * s.cols, work);
        blas::syrk<double>('U', 'N', s.cols, count, 1.0, work, s.cols, beta, b, s.cols);
    }
}

void formGram(Shape s, const double* a, double* b, Arena&) {
    const Index k = s.smaller();
    blas::syrk<double>('U', s.rows <= s.cols ? 'T' : 'N', k, s.larger(), 1.0, a, s.cols, 0.0, b, k);
}

void formGram(Shape s, const float* a, double* b, Arena& arena) {
    const ArenaFrame frame(arena);
    double* work = arena.take<double>(static_cast<std::size_t>(panel * s.smaller()));
    for (Index first = 0; first < s.larger(); first += panel)
        addPanel(s, a, first, std::min(panel, s.larger() - first), work, b);
}

}  // namespace

template <class T>
Gram::Gram(Shape shape, const T* a, Arena& arena) : shape_(shape), k_(shape.smaller()) {
    b_ = arena.take<double>(static_cast<std::size_t>(k_ * k_));
    diagonal_ = arena.take<double>(static_cast<std::size_t>(k_));
    formGram(shape, a, b_, arena);
    for (Index i = 0; i < k_; ++i) diagonal_[i] = b_[i + i * k_];
}

void Gram::apply(Index count, const double* x, double* y) const {
    if (count == 1)
        blas::symv('U', k_, 1.0, b_, k_, x, 0.0, y);
    else
        blas::symm<double>('L', 'U', k_, count, 1.0, b_, k_, x, k_, 0.0, y, k_);
}

// Errors of B (gamma_n |A||A'| <= gamma_n ||A||_F^2), of the update with U (unit vectors, times the weight)
// and of the factorisation (Demmel: gamma_{k+1} times the trace of what is factored).
double Gram::slack(double beta, Index j, double top, double frobenius) const {
    const double trace = static_cast<double>(k_) * beta + static_cast<double>(j) * weight(top);
    return gamma(shape_.larger() + 8) * frobenius * frobenius + gamma(k_ + j + 8) * 2.0 * trace;
}

// -B in the strict lower triangle, shift - B on the diagonal.
void Gram::fillLower(double shift) {
    constexpr Index tile = 32;
    for (Index jj = 0; jj < k_; jj += tile)
        for (Index ii = jj; ii < k_; ii += tile)
            for (Index j = jj; j < std::min(jj + tile, k_); ++j)
                for (Index i = std::max(ii, j + 1); i < std::min(ii + tile, k_); ++i)
                    b_[i + j * k_] = -b_[j + i * k_];
    for (Index i = 0; i < k_; ++i) b_[i + i * k_] = shift - diagonal_[i];
}

// The factorisation broke down at a pivot <= 0: with the factor L of the rows before it and l the pivot's row
// of L, the vector (-L^{-T} l, 1, 0) has that pivot as its quadratic form.
void Gram::findEscape(Index row, double* escape) {
    std::fill(escape, escape + k_, 0.0);
    for (Index j = 0; j < row; ++j) escape[j] = -b_[row + j * k_];
    if (row > 0) blas::trsm<double>('L', 'L', 'T', 'N', row, 1, 1.0, b_, k_, escape, k_);
    escape[row] = 1.0;
}

bool Gram::complementBelow(double beta, Index j, const double* u, double top, double frobenius,
                           double* escape) {
    // U need not be orthonormal, nor hold eigenvectors: on its complement the update vanishes.
    fillLower(beta - slack(beta, j, top, frobenius));
    blas::syrk<double>('L', 'N', k_, j, weight(top), u, k_, 1.0, b_, k_);
    const int info = blas::potrf<double>('L', k_, b_, k_);
    if (info > 0 && escape != nullptr) findEscape(info - 1, escape);
    for (Index i = 0; i < k_; ++i) b_[i + i * k_] = diagonal_[i];
    return info == 0;
}

RitzBlock measure(const SidedProducts& a, Index j, const double* u, double frobenius, double* larger,
                  double* smaller, double* values) {
    const Index k = a.shape.smaller(), n = a.shape.larger();
    RitzBlock block;
    block.count = j;
    block.values = values;
    a.toLarger(j, u, larger);
    // How far U is from orthonormal, and Z'Z, Z = A'U, from diagonal.
    double skew = 0.0, offDiagonal = 0.0;
    for (Index i = 0; i < j; ++i)
        for (Index l = 0; l <= i; ++l) {
            const double weight = i == l ? 1.0 : 2.0;
            const double uu = products::dotCompensated(k, u + i * k, u + l * k) - (i == l ? 1.0 : 0.0);
            const double zz = products::dotCompensated(n, larger + i * n, larger + l * n);
            skew += weight * uu * uu;
            if (i == l)
                values[i] = zz;
            else
                offDiagonal += weight * zz * zz;
        }
    const auto count = static_cast<double>(j);
    const double top = *std::max_element(values, values + j);
    skew = std::sqrt(skew) + 4.0 * unitRoundoff * count;
    const double e = a.error(1.01 * std::sqrt(top), frobenius) * std::sqrt(count);
    // (A'U + E)'(A'U + E) differs from the compression by at most this, and U from an orthonormal basis by
    // skew.
    const double length = std::sqrt(top + std::sqrt(offDiagonal));  // >= ||Z||_2
    block.spread =
        (std::sqrt(offDiagonal) + 2.0 * e * length + e * e + 4.0 * unitRoundoff * top) * (1.0 + 2.0 * skew) +
        2.0 * skew * top;
    double squares = 0.0, captured = 0.0;
    for (Index i = 0; i < j; ++i) {
        a.toSmaller(1, larger + i * n, smaller);
        kernels::combine(k, 1.0, smaller, -values[i], u + i * k, smaller);
        squares += kernels::dot(k, smaller, smaller);
        captured += values[i];
    }
    // The residual of U, not of an orthonormal basis: its part outside of span(U) is what counts.
    const double rounding = 2.0 * a.error(frobenius, frobenius) * std::sqrt(count) * frobenius;
    block.residual = (std::sqrt(squares) * (1.0 + gamma(k)) + rounding + 4.0 * unitRoundoff * count * top) *
                     (1.0 + 2.0 * skew);
    std::sort(values, values + j, std::greater<>());
    block.captured = captured * (1.0 - 2.0 * skew - gamma(j + 4)) - 2.0 * e * std::sqrt(captured);
    return block;
}

double upperEigenvalue(double theta, double beta, double residual) {
    const double half = std::abs(theta - beta) / 2.0;
    const double hypotenuse = std::hypot(half, residual);
    // (theta + beta)/2 + hypotenuse, without cancellation.
    const double excess = residual == 0.0 ? 0.0 : residual * (residual / (half + hypotenuse));
    return (std::max(theta, beta) + excess) * (1.0 + 8.0 * unitRoundoff);
}

template <class T>
Energy energy(Index n, const T* a) {
    const double value = products::dotCompensated(n, a, a);
    return {value, value * (1.0 + 4.0 * unitRoundoff)};
}

#define SCHATTOR_INSTANTIATE(T)                   \
    template Gram::Gram(Shape, const T*, Arena&); \
    template Energy energy<T>(Index, const T*);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)

}  // namespace schattor
