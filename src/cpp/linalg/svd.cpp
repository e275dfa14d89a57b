#include "linalg/svd.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <string>

#include "base/kernels.h"
#include "base/view.h"
#include "linalg/blas.h"
#include "linalg/jacobi.h"

namespace schattor {
namespace {

// At least the documented minimum of gesdd ("S") and gesvd, and enough for their blocked paths with panels of
// up to 64 columns: those reduce a long matrix to its k x k factor first. Asking LAPACK would cost as much as
// a small SVD.
Index workspace(Shape s) {
    const Index k = s.smaller();
    return 4 * k * k + 7 * k + s.larger() + 64 * (std::min(s.larger(), 2 * k) + 3 * k) + 64;
}

double* take(Arena& arena, Index count) { return arena.take<double>(static_cast<std::size_t>(count)); }

// LAPACK sees the transpose, n x m column-major: its left vectors are our right ones.
bool divideAndConquer(Shape shape, double* scaled, Svd& svd, Arena& arena) {
    const ArenaFrame frame(arena);
    double* work = take(arena, workspace(shape));
    int* iwork = arena.take<int>(static_cast<std::size_t>(8 * shape.smaller()));
    return blas::gesdd(shape.cols, shape.rows, scaled, svd.sigma, svd.right, svd.left, work, workspace(shape),
                       iwork) == 0;
}

bool qrIteration(Shape shape, double* scaled, Svd& svd, Arena& arena) {
    const ArenaFrame frame(arena);
    double* work = take(arena, workspace(shape));
    return blas::gesvd(shape.cols, shape.rows, scaled, svd.sigma, svd.right, svd.left, work,
                       workspace(shape)) == 0;
}

bool jacobi(Shape shape, double* scaled, Svd& svd, Arena&) {
    const Index k = shape.smaller();
    if (shape.rows <= shape.cols) {
        jacobiSvd(k, shape.cols, scaled, svd.sigma, svd.left);
        std::copy(scaled, scaled + shape.size(), svd.right);
        return true;
    }
    // Tall: the rows of the transpose, whose left vectors are our right ones.
    view(svd.left, k, shape.rows) = view(scaled, shape.rows, k).transpose();
    jacobiSvd(k, shape.rows, svd.left, svd.sigma, svd.right);
    view(scaled, shape.rows, k) = view(svd.left, k, shape.rows).transpose();
    std::copy(scaled, scaled + shape.size(), svd.left);
    view(svd.right, k, k).transposeInPlace();
    return true;
}

// Exponent e with max |a_ij| in [2^(e-1), 2^e).
template <class T>
int scaleOf(Shape shape, const T* a) {
    const double largest = kernels::maxAbs(shape.size(), a);
    if (!std::isfinite(largest)) throw std::logic_error("SVD of a matrix that is not finite");
    int exponent = 0;
    std::frexp(largest, &exponent);
    return exponent;
}

template <class T>
void scaleInto(Shape shape, const T* a, int exponent, double* scaled) {
    std::copy(a, a + shape.size(), scaled);
    kernels::scaleByPowerOfTwo(shape.size(), -exponent, scaled, scaled);
}

}  // namespace

namespace detail {

std::span<const SvdRung> ladder() {
    static constexpr std::array<SvdRung, 3> rungs = {&divideAndConquer, &qrIteration, &jacobi};
    return rungs;
}

template <class T>
Svd climb(Shape shape, const T* a, std::span<const SvdRung> ladder, Arena& arena) {
    Svd svd;
    const Index k = shape.smaller();
    svd.left = take(arena, shape.rows * k);
    svd.right = take(arena, k * shape.cols);
    svd.sigma = take(arena, k);
    svd.exponent = scaleOf(shape, a);
    const ArenaFrame frame(arena);
    double* scaled = take(arena, shape.size());
    for (const SvdRung rung : ladder) {
        scaleInto(shape, a, svd.exponent, scaled);
        if (rung(shape, scaled, svd, arena)) return svd;
        ++svd.fallbacks;
    }
    throw std::logic_error("every rung of the SVD ladder failed");
}

}  // namespace detail

template <class T>
Svd thinSvd(Shape shape, const T* a, Arena& arena) {
    return detail::climb<T>(shape, a, detail::ladder(), arena);
}

template <class T>
Svd singularValues(Shape shape, const T* a, Arena& arena) {
    Svd svd;
    svd.sigma = take(arena, shape.smaller());
    svd.exponent = scaleOf(shape, a);
    {
        const ArenaFrame frame(arena);
        double* scaled = take(arena, shape.size());
        double* work = take(arena, workspace(shape));
        int* iwork = arena.take<int>(static_cast<std::size_t>(8 * shape.smaller()));
        scaleInto(shape, a, svd.exponent, scaled);
        if (blas::singularValues(shape.cols, shape.rows, scaled, svd.sigma, work, workspace(shape), iwork) ==
            0)
            return svd;
    }
    const ArenaFrame frame(arena);
    const Svd full = detail::climb<T>(shape, a, detail::ladder().subspan(1), arena);
    std::copy(full.sigma, full.sigma + shape.smaller(), svd.sigma);
    svd.fallbacks = full.fallbacks + 1;
    return svd;
}

void checkSvdShape(Shape shape) {
    if (shape.larger() > blas::largestInt || workspace(shape) > blas::largestInt)
        throw std::invalid_argument("a " + std::to_string(shape.rows) + " x " + std::to_string(shape.cols) +
                                    " matrix is too large for a 32-bit LAPACK");
}

#define SCHATTOR_INSTANTIATE(T)                              \
    template Svd thinSvd<T>(Shape, const T*, Arena&);        \
    template Svd singularValues<T>(Shape, const T*, Arena&); \
    template Svd detail::climb<T>(Shape, const T*, std::span<const detail::SvdRung>, Arena&);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)

}  // namespace schattor
