#include "linalg/inverse_root.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "base/view.h"
#include "linalg/blas.h"
#include "linalg/jacobi.h"
#include "linalg/symmetric_product.h"

namespace schattor {
namespace {

double* take(Arena& arena, Index count) { return arena.take<double>(static_cast<std::size_t>(count)); }

// The documented minimum of syevd with vectors; the Jacobi rotations need less.
Index workspace(Index k) { return 1 + 6 * k + 2 * k * k; }
std::size_t integers(Index k) { return static_cast<std::size_t>(3 + 5 * k); }

// Without LAPACK: slow, but it always ends. Destroys `a`. A = U diag(sigma) V' with V = U where sigma > 0.
void eigenByJacobi(Index k, double* a, double* vectors, double* values) {
    jacobiSvd(k, k, a, values, vectors);
    view(vectors, k, k).transposeInPlace();
    for (Index i = 0; i < k / 2; ++i)
        std::swap_ranges(vectors + i * k, vectors + (i + 1) * k, vectors + (k - 1 - i) * k);
    std::reverse(values, values + k);
}

}  // namespace

template <class T>
SymmetricEigen symmetricEigen(Index k, const T* a, Arena& arena) {
    SymmetricEigen result{take(arena, k * k), take(arena, k), kernels::exponentOf(k * k, a)};
    const auto scaled = [&](double* out) {
        std::copy(a, a + k * k, out);
        kernels::scaleByPowerOfTwo(k * k, -result.exponent, out, out);
    };
    const ArenaFrame frame(arena);
    double* work = take(arena, workspace(k));
    int* iwork = arena.take<int>(integers(k));
    scaled(result.vectors);
    if (blas::syevd('L', k, result.vectors, k, result.values, work, workspace(k), iwork,
                    static_cast<Index>(integers(k))) == 0)
        return result;
    scaled(work);
    eigenByJacobi(k, work, result.vectors, result.values);
    return result;
}

template <class T>
void inverseRoot(Index k, const T* a, double factor, double eps, double exponent, T* out, Arena& arena) {
    if (k == 0) return;
    const ArenaFrame frame(arena);
    SymmetricEigen e = symmetricEigen(k, a, arena);
    const double tiny = smallestNormal(dtypeOf<T>);
    if (std::ldexp(std::max(e.values[k - 1], 0.0), e.exponent) < tiny) {
        std::fill(e.values, e.values + k, 0.0);
        e.exponent = 0;
    }
    if (std::pow(eps, -exponent) > 1.0 / std::sqrt(tiny)) eps = 0.0;
    // In units of factor 2^e.exponent.
    const double shift = std::ldexp(eps / factor, -e.exponent), largest = std::max(e.values[k - 1], 0.0);
    const double noise = static_cast<double>(k) * machineEpsilon(dtypeOf<T>) * largest;
    const double least = std::max(noise, std::ldexp(tiny, -e.exponent));
    for (Index i = 0; i < k; ++i) {
        const double value = eps > 0.0 ? std::max({e.values[i] + shift, shift, noise}) : e.values[i];
        const double root = eps > 0.0 || value > least ? std::pow(value, -exponent) : 0.0;
        kernels::scale(k, std::sqrt(root), e.vectors + i * k, e.vectors + i * k);
    }
    double* whole = take(arena, k * k);
    blas::syrk<double>('L', 'N', k, k, 1.0, e.vectors, k, 0.0, whole, k);
    symmetric::mirror(k, whole);
    const double unit = std::pow(factor, -exponent) * std::exp2(-exponent * e.exponent);
    for (Index i = 0; i < k * k; ++i) out[i] = static_cast<T>(unit * whole[i]);
}

template SymmetricEigen symmetricEigen<float>(Index, const float*, Arena&);
template SymmetricEigen symmetricEigen<double>(Index, const double*, Arena&);
template void inverseRoot<float>(Index, const float*, double, double, double, float*, Arena&);
template void inverseRoot<double>(Index, const double*, double, double, double, double*, Arena&);

}  // namespace schattor
