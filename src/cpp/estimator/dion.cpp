#include "estimator/dion.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/rng.h"
#include "linalg/blas.h"
#include "linalg/orthonormal.h"

namespace schattor {

Index Dion::rank(Shape s) const {
    const double wanted = std::ceil(rankFraction_ * static_cast<double>(s.smaller()));
    return std::clamp<Index>(static_cast<Index>(wanted), std::min<Index>(1, s.smaller()), s.smaller());
}

std::vector<StateSlot> Dion::state(Shape s) const {
    return {{"residual", s}, {"basis", {s.smaller(), rank(s)}}};
}

namespace {

template <class T>
bool isZero(Index n, const T* x) {
    return kernels::maxAbs(n, x) == 0.0;
}

template <class T>
void drawBasis(Index n, std::uint64_t seed, T* basis, Arena& arena) {
    const ArenaFrame frame(arena);
    double* draws = arena.take<double>(static_cast<std::size_t>(n));
    Rng(seed).normal(n, draws);
    std::transform(draws, draws + n, basis, [](double x) { return static_cast<T>(x); });
}

// The columns of the row-major n x r matrix, each divided by its length plus eps.
template <class T>
void normalizeColumns(Index n, Index r, double eps, T* x) {
    for (Index j = 0; j < r; ++j) {
        double squares = 0.0;
        for (Index i = 0; i < n; ++i)
            squares += static_cast<double>(x[i * r + j]) * static_cast<double>(x[i * r + j]);
        const double length = std::sqrt(squares) + eps;
        for (Index i = 0; i < n; ++i)
            x[i * r + j] = length > 0.0 ? static_cast<T>(x[i * r + j] / length) : T(0);
    }
}

}  // namespace

// LAPACK sees the row-major m x n momentum as its transpose, n x m with leading dimension n. `t` makes it the
// tall matrix X, `u` the transposed one; Q and R, b x r by rows, are r x b there.
template <class T>
const T* Dion::run(const Context<T>& c, const T* g, T* out) const {
    const Shape s = c.shape;
    const Index a = s.larger(), b = s.smaller(), r = rank(s), n = std::max<Index>(1, s.cols);
    const char t = s.rows >= s.cols ? 'T' : 'N';
    T *x = c.state[0], *q = c.state[1];
    const ArenaFrame frame(*c.arena);
    if (isZero(b * r, q)) drawBasis(b * r, seed_ ^ c.salt, q, *c.arena);
    kernels::combine(s.size(), 1.0, x, 1.0, g, x);
    // Roundings of an old residual have no direction that means anything.
    if (kernels::maxAbs(s.size(), x) < std::numeric_limits<T>::min()) {
        std::fill(out, out + s.size(), T(0));
        return out;
    }
    T* p = c.arena->template take<T>(static_cast<std::size_t>(a * r));
    T* right = c.arena->template take<T>(static_cast<std::size_t>(b * r));
    blas::gemm<T>(t, 'T', a, r, b, T(1), x, n, q, r, T(0), p, a);  // X Q
    orthonormalize(a, r, p, *c.arena);
    blas::gemm<T>('T', t, r, b, a, T(1), p, a, x, n, T(0), right, r);           // R' = P' X
    const auto addProduct = [&](T alpha, const T* factor, T beta, T* target) {  // target += alpha P factor'
        if (t == 'N')
            blas::gemm<T>('N', 'N', a, b, r, alpha, p, a, factor, r, beta, target, n);
        else
            blas::gemm<T>('T', 'T', b, a, r, alpha, factor, r, p, a, beta, target, n);
    };
    addProduct(static_cast<T>(c(momentum_) - 1.0), right, T(1), x);
    std::copy(right, right + b * r, q);
    normalizeColumns(b, r, c(eps_), q);
    addProduct(T(1), q, T(0), out);
    return out;
}

const float* Dion::estimate(const Context<float>& c, const float* g, float* out) const {
    return run(c, g, out);
}
const double* Dion::estimate(const Context<double>& c, const double* g, double* out) const {
    return run(c, g, out);
}

}  // namespace schattor
