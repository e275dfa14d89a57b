#include "frame/random_range.h"

#include <algorithm>
#include <numeric>

#include "base/rng.h"
#include "linalg/blas.h"
#include "linalg/orthonormal.h"

namespace schattor {

// The first numbers of a random permutation (Fisher and Yates).
template <class T>
void RandomRange::draw(const Context<T>& c, std::int64_t count) const {
    const ArenaFrame frame(*c.arena);
    const Index n = c.shape.larger();
    Index* numbers = c.arena->template take<Index>(static_cast<std::size_t>(n));
    std::iota(numbers, numbers + n, Index(0));
    Rng rng(Rng(seed_ ^ c.salt).next() + static_cast<std::uint64_t>(count));
    for (Index i = 0; i < kept(c.shape); ++i) {
        const auto left = static_cast<std::uint64_t>(n - i);
        std::swap(numbers[i], numbers[i + static_cast<Index>(rng.next() % left)]);
        c.state[0][i] = static_cast<T>(numbers[i]);
    }
}

// LAPACK sees the row-major estimate transposed: a wide one as n x m, whose rows are the columns to choose.
template <class T>
void RandomRange::in(const Context<T>& c, const T* x, T* inside) const {
    const Shape s = c.shape;
    const Index k = kept(s), small = s.smaller(), n = s.cols;
    const bool wide = s.rows <= s.cols;
    if (c.state[0][0] < T(0)) draw(c, c.count);
    T* q = c.held;  // small x k, column-major
    for (Index j = 0; j < k; ++j) {
        const auto at = static_cast<Index>(c.state[0][j]);
        for (Index i = 0; i < small; ++i) q[j * small + i] = wide ? x[i * n + at] : x[at * n + i];
    }
    orthonormalize(small, k, q, *c.arena);
    if (wide)  // (Q' X)' = X' Q
        blas::gemm<T>('N', 'N', n, k, small, T(1), x, n, q, small, T(0), inside, n);
    else  // (X Q)' = Q' X'
        blas::gemm<T>('T', 'N', k, s.rows, small, T(1), q, small, x, n, T(0), inside, k);
}

template <class T>
void RandomRange::exit(const Context<T>& c, const T* inside, T* out) const {
    const Shape s = c.shape;
    const Index k = kept(s), small = s.smaller(), n = s.cols;
    const T* q = c.held;
    if (s.rows <= s.cols)  // (Q D)' = D' Q'
        blas::gemm<T>('N', 'T', n, small, k, T(1), inside, n, q, small, T(0), out, n);
    else  // (D Q')' = Q D'
        blas::gemm<T>('N', 'N', small, s.rows, k, T(1), q, small, inside, k, T(0), out, n);
}

template void RandomRange::draw<float>(const Context<float>&, std::int64_t) const;
template void RandomRange::draw<double>(const Context<double>&, std::int64_t) const;
template void RandomRange::in<float>(const Context<float>&, const float*, float*) const;
template void RandomRange::in<double>(const Context<double>&, const double*, double*) const;
template void RandomRange::exit<float>(const Context<float>&, const float*, float*) const;
template void RandomRange::exit<double>(const Context<double>&, const double*, double*) const;

}  // namespace schattor
