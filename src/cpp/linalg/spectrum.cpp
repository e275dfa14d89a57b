#include "linalg/spectrum.h"

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "linalg/blas.h"
#include "linalg/lanczos.h"

namespace schattor {
namespace {

constexpr Index width = 2;   ///< vectors that take one pass over A together
constexpr Index blocks = 8;  ///< passes
constexpr Index capacity = width * (blocks + 1);

template <class T>
class Dense final : public SymmetricOperator {
public:
    Dense(Index k, const T* a, T* work) : k_(k), a_(a), work_(work) {}
    void apply(Index count, const double* x, double* y) const override {
        T *from = work_, *to = work_ + width * k_;
        for (Index i = 0; i < count * k_; ++i) from[i] = static_cast<T>(x[i]);
        blas::gemm<T>('N', 'N', k_, count, k_, T(1), a_, k_, from, k_, T(0), to, k_);
        for (Index i = 0; i < count * k_; ++i) y[i] = static_cast<double>(to[i]);
    }

private:
    Index k_;
    const T* a_;
    T* work_;
};

// Whether shift I + sign A is positive definite.
template <class T>
bool isDefinite(Index k, double shift, double sign, const T* a, T* work) {
    const T factor = static_cast<T>(sign);
    for (Index j = 0; j < k; ++j)
        for (Index i = j; i < k; ++i) work[j * k + i] = factor * a[j * k + i];
    for (Index i = 0; i < k; ++i) work[i * (k + 1)] += static_cast<T>(shift);
    return blas::potrf<T>('L', k, work, k) == 0;
}

}  // namespace

template <class T>
SpectrumBounds boundSpectrum(Index k, const T* a, double widest, T* work, Arena& arena) {
    const ArenaFrame frame(arena);
    Lanczos lanczos(k, width, capacity, arena);
    Rng rng(0);
    lanczos.fill(width, rng);
    const Dense<T> matrix(k, a, work);
    for (Index i = 0; i < blocks && lanczos.pending() > 0 && !lanczos.full(); ++i) lanczos.expand(matrix);
    SpectrumBounds bounds;
    if (!lanczos.solve()) return bounds;
    const double top = lanczos.value(0), bottom = lanczos.value(lanczos.size() - 1), spread = top - bottom;
    // The proofs hold up to rounding errors of this size.
    const double rounding = 8.0 * machineEpsilon(dtypeOf<T>) * std::sqrt(static_cast<double>(k)) * top;
    for (const double beyond : {0.03, 0.1, 0.3}) {
        const double high = top + beyond * spread + rounding;
        if (!isDefinite(k, high, -1.0, a, work)) continue;
        bounds.high = high + rounding;
        break;
    }
    if (bounds.high == 0.0) return bounds;
    for (const double factor : {0.75, 0.5, 0.2, 0.05}) {
        const double low = factor * bottom;
        if (low - rounding < bounds.high / widest) break;
        if (!isDefinite(k, -low, 1.0, a, work)) continue;
        bounds.low = low - rounding;
        bounds.proven = true;
        break;
    }
    return bounds;
}

template SpectrumBounds boundSpectrum<float>(Index, const float*, double, float*, Arena&);
template SpectrumBounds boundSpectrum<double>(Index, const double*, double, double*, Arena&);

}  // namespace schattor
