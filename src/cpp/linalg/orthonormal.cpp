#include "linalg/orthonormal.h"

#include "linalg/blas.h"

namespace schattor {
namespace {

// LAPACK's blocks are at most 64 columns wide.
Index workspace(Index n) { return 64 * (n + 1); }

}  // namespace

template <class T>
void orthonormalize(Index m, Index n, T* a, Arena& arena) {
    const ArenaFrame frame(arena);
    T* tau = arena.take<T>(static_cast<std::size_t>(n));
    T* work = arena.take<T>(static_cast<std::size_t>(workspace(n)));
    blas::geqrf<T>(m, n, a, m, tau, work, workspace(n));  // info only tells of bad arguments
    blas::orgqr<T>(m, n, a, m, tau, work, workspace(n));
}

template void orthonormalize<float>(Index, Index, float*, Arena&);
template void orthonormalize<double>(Index, Index, double*, Arena&);

}  // namespace schattor
