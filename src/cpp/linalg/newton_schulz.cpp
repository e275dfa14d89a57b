#include "linalg/newton_schulz.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "base/kernels.h"
#include "linalg/blas.h"

namespace schattor {
namespace {

// gram = X X' for wide X and X' X for tall X (k x k). Row-major X is the column-major X'.
template <class T>
void formGram(Shape s, const T* x, T* gram) {
    const Index k = s.smaller();
    const bool wide = s.rows <= s.cols;
    blas::gemm<T>(wide ? 'T' : 'N', wide ? 'N' : 'T', k, k, s.larger(), T(1), x, s.cols, x, s.cols, T(0),
                  gram, k);
}

// out = a X + B X for wide X and a X + X B for tall X; B is symmetric.
template <class T>
void multiply(Shape s, T a, const T* x, const T* b, T* out) {
    std::copy(x, x + s.size(), out);
    if (s.rows <= s.cols)
        blas::gemm<T>('N', 'N', s.cols, s.rows, s.rows, T(1), x, s.cols, b, s.rows, a, out, s.cols);
    else
        blas::gemm<T>('N', 'N', s.cols, s.rows, s.cols, T(1), b, s.cols, x, s.cols, a, out, s.cols);
}

template <class T>
void normalize(Shape s, const T* g, double factor, T* x) {
    int exponent = 0;
    std::frexp(kernels::maxAbs(s.size(), g), &exponent);
    kernels::scaleByPowerOfTwo(s.size(), -exponent, g, x);
    kernels::scale(s.size(), 1.0 / (factor * std::sqrt(kernels::sumOfSquares(s.size(), x))), x, x);
}

template <class T>
Orthogonalized measure(Index k, T* gram) {
    Orthogonalized result;
    for (Index i = 0; i < k; ++i) {
        result.frobenius += static_cast<double>(gram[i * k + i]);
        gram[i * k + i] -= T(1);
    }
    result.frobenius = std::sqrt(std::max(0.0, result.frobenius));
    result.residual = std::sqrt(kernels::sumOfSquares(k * k, gram) / static_cast<double>(k));
    return result;
}

}  // namespace

Iteration makeIteration(std::string_view name, int steps) {
    const CoefficientSet& set = coefficientSet(name);
    const int length = static_cast<int>(set.steps.size());
    if (steps < 0) throw std::invalid_argument("steps must be at least 1, got " + std::to_string(steps));
    if (steps > length && !set.repeatsLast)
        throw std::invalid_argument("coefficient set '" + std::string(name) + "' has " +
                                    std::to_string(length) + " steps, got steps=" + std::to_string(steps));
    return {&set, steps == 0 ? set.defaultSteps : steps};
}

template <class T>
Orthogonalized newtonSchulz(Shape shape, const T* g, const Iteration& iteration, T* x, Arena& arena) {
    const ArenaFrame frame(arena);
    const Index k = shape.smaller();
    T* gram = arena.take<T>(static_cast<std::size_t>(k * k));
    T* polynomial = arena.take<T>(static_cast<std::size_t>(k * k));
    T* next = arena.take<T>(static_cast<std::size_t>(shape.size()));
    T* current = x;
    normalize(shape, g, iteration.set->normFactor, current);
    for (int i = 0; i < iteration.steps; ++i) {
        const auto [a, b, c] = iteration.triple(i);
        formGram(shape, current, gram);
        std::copy(gram, gram + k * k, polynomial);  // becomes b A + c A^2
        if (c == 0.0)
            kernels::scale(k * k, b, gram, polynomial);
        else
            blas::gemm<T>('N', 'N', k, k, k, static_cast<T>(c), gram, k, gram, k, static_cast<T>(b),
                          polynomial, k);
        multiply(shape, static_cast<T>(a), current, polynomial, next);
        std::swap(current, next);
    }
    if (current != x) std::copy(current, current + shape.size(), x);
    formGram(shape, x, gram);
    return measure(k, gram);
}

template <class T>
std::size_t newtonSchulzScratch(Shape shape) {
    const auto k = static_cast<std::size_t>(shape.smaller());
    return 2 * Arena::bytesFor<T>(k * k) + Arena::bytesFor<T>(static_cast<std::size_t>(shape.size()));
}

#define SCHATTOR_INSTANTIATE(T)                                                             \
    template Orthogonalized newtonSchulz<T>(Shape, const T*, const Iteration&, T*, Arena&); \
    template std::size_t newtonSchulzScratch<T>(Shape);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)

}  // namespace schattor
