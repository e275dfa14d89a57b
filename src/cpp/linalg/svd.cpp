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

// Enough for the blocked paths of gesdd ("S") and gesvd with panels of up to 64 columns, and at
// least their documented minimum; asking LAPACK would cost as much as a small SVD.
Index workspace(Shape s) {
    const Index k = s.smaller();
    return 4 * k * k + 7 * k + 64 * (s.larger() + 3 * k) + 64;
}

template <class T>
T* scaledCopy(Shape shape, const T* a, int exponent, Arena& arena) {
    T* copy = arena.take<T>(static_cast<std::size_t>(shape.size()));
    kernels::scaleByPowerOfTwo(shape.size(), -exponent, a, copy);
    return copy;
}

// LAPACK sees the transpose, n x m column-major: its left vectors are our right ones.
template <class T>
bool divideAndConquer(Shape shape, const T* a, Svd<T>& svd, Arena& arena) {
    const ArenaFrame frame(arena);
    T* copy = scaledCopy(shape, a, svd.exponent, arena);
    T* work = arena.take<T>(static_cast<std::size_t>(workspace(shape)));
    int* iwork = arena.take<int>(static_cast<std::size_t>(8 * shape.smaller()));
    return blas::gesdd(shape.cols, shape.rows, copy, svd.sigma, svd.right, svd.left, work, workspace(shape),
                       iwork) == 0;
}

template <class T>
bool qrIteration(Shape shape, const T* a, Svd<T>& svd, Arena& arena) {
    const ArenaFrame frame(arena);
    T* copy = scaledCopy(shape, a, svd.exponent, arena);
    T* work = arena.take<T>(static_cast<std::size_t>(workspace(shape)));
    return blas::gesvd(shape.cols, shape.rows, copy, svd.sigma, svd.right, svd.left, work,
                       workspace(shape)) == 0;
}

// Runs a rung in double and rounds its result.
template <class T>
bool widened(Shape shape, const T* a, Svd<T>& svd, detail::SvdRung<double> rung) {
    const Index k = shape.smaller();
    const std::size_t size = static_cast<std::size_t>(shape.size());
    Arena arena(svdScratch<double>(shape) + Arena::bytesFor<double>(size));
    double* wide = arena.take<double>(size);
    std::copy(a, a + shape.size(), wide);
    Svd<double> result;
    result.exponent = svd.exponent;
    result.left = arena.take<double>(static_cast<std::size_t>(shape.rows * k));
    result.right = arena.take<double>(static_cast<std::size_t>(k * shape.cols));
    result.sigma = arena.take<double>(static_cast<std::size_t>(k));
    if (!rung(shape, wide, result, arena)) return false;
    const auto narrow = [](double x) { return static_cast<T>(x); };
    std::transform(result.left, result.left + shape.rows * k, svd.left, narrow);
    std::transform(result.right, result.right + k * shape.cols, svd.right, narrow);
    std::transform(result.sigma, result.sigma + k, svd.sigma, narrow);
    return true;
}

bool jacobi(Shape shape, const double* a, Svd<double>& svd, Arena& arena) {
    const ArenaFrame frame(arena);
    const Index k = shape.smaller();
    double* copy = scaledCopy(shape, a, svd.exponent, arena);
    if (shape.rows <= shape.cols) {
        jacobiSvd(k, shape.cols, copy, svd.sigma, svd.left);
        std::copy(copy, copy + shape.size(), svd.right);
        return true;
    }
    // Tall: the rows of the transpose, whose left vectors are our right ones.
    view(svd.left, k, shape.rows) = view(copy, shape.rows, k).transpose();
    jacobiSvd(k, shape.rows, svd.left, svd.sigma, svd.right);
    view(copy, shape.rows, k) = view(svd.left, k, shape.rows).transpose();
    std::copy(copy, copy + shape.size(), svd.left);
    view(svd.right, k, k).transposeInPlace();
    return true;
}

template <class T>
bool widenedDivideAndConquer(Shape shape, const T* a, Svd<T>& svd, Arena&) {
    return widened(shape, a, svd, &divideAndConquer<double>);
}

template <class T>
bool widenedJacobi(Shape shape, const T* a, Svd<T>& svd, Arena&) {
    return widened(shape, a, svd, &jacobi);
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

}  // namespace

namespace detail {

template <class T>
std::span<const SvdRung<T>> ladder() {
    static constexpr std::array<SvdRung<T>, 4> rungs = {&divideAndConquer<T>, &qrIteration<T>,
                                                        &widenedDivideAndConquer<T>, &widenedJacobi<T>};
    return rungs;
}

template <class T>
Svd<T> climb(Shape shape, const T* a, std::span<const SvdRung<T>> ladder, Arena& arena) {
    Svd<T> result;
    const Index k = shape.smaller();
    result.left = arena.take<T>(static_cast<std::size_t>(shape.rows * k));
    result.right = arena.take<T>(static_cast<std::size_t>(k * shape.cols));
    result.sigma = arena.take<T>(static_cast<std::size_t>(k));
    result.exponent = scaleOf(shape, a);
    for (const SvdRung<T> rung : ladder) {
        if (rung(shape, a, result, arena)) return result;
        ++result.fallbacks;
    }
    throw std::logic_error("every rung of the SVD ladder failed");
}

}  // namespace detail

template <class T>
Svd<T> thinSvd(Shape shape, const T* a, Arena& arena) {
    return detail::climb<T>(shape, a, detail::ladder<T>(), arena);
}

template <class T>
Svd<T> singularValues(Shape shape, const T* a, Arena& arena) {
    Svd<T> result;
    result.sigma = arena.take<T>(static_cast<std::size_t>(shape.smaller()));
    result.exponent = scaleOf(shape, a);
    {
        const ArenaFrame frame(arena);
        T* copy = scaledCopy(shape, a, result.exponent, arena);
        T* work = arena.take<T>(static_cast<std::size_t>(workspace(shape)));
        int* iwork = arena.take<int>(static_cast<std::size_t>(8 * shape.smaller()));
        if (blas::singularValues(shape.cols, shape.rows, copy, result.sigma, work, workspace(shape), iwork) ==
            0)
            return result;
    }
    const ArenaFrame frame(arena);
    const Svd<T> full = detail::climb<T>(shape, a, detail::ladder<T>().subspan(1), arena);
    std::copy(full.sigma, full.sigma + shape.smaller(), result.sigma);
    result.fallbacks = full.fallbacks + 1;
    return result;
}

template <class T>
std::size_t svdScratch(Shape shape) {
    const auto k = static_cast<std::size_t>(shape.smaller());
    const auto size = static_cast<std::size_t>(shape.size());
    return Arena::bytesFor<T>(size) + Arena::bytesFor<T>(static_cast<std::size_t>(shape.rows) * k) +
           Arena::bytesFor<T>(static_cast<std::size_t>(shape.cols) * k) + 2 * Arena::bytesFor<T>(k) +
           Arena::bytesFor<T>(static_cast<std::size_t>(workspace(shape))) + Arena::bytesFor<int>(8 * k);
}

void checkSvdShape(Shape shape) {
    if (shape.larger() > blas::largestInt || workspace(shape) > blas::largestInt)
        throw std::invalid_argument("a " + std::to_string(shape.rows) + " x " + std::to_string(shape.cols) +
                                    " matrix is too large for a 32-bit LAPACK");
}

#define SCHATTOR_INSTANTIATE(T)                                       \
    template Svd<T> thinSvd<T>(Shape, const T*, Arena&);              \
    template Svd<T> singularValues<T>(Shape, const T*, Arena&);       \
    template std::size_t svdScratch<T>(Shape);                        \
    template std::span<const detail::SvdRung<T>> detail::ladder<T>(); \
    template Svd<T> detail::climb<T>(Shape, const T*, std::span<const detail::SvdRung<T>>, Arena&);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)

}  // namespace schattor
