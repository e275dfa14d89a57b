#include "frame/partner_metric.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "linalg/blas.h"
#include "linalg/inverse_root.h"
#include "linalg/sides.h"
#include "linalg/symmetric_product.h"

namespace schattor {
namespace {

// Vectors of the partner that are brought to double at a time.
constexpr Index panel = 64;

// Below this the weights do not matter beside any eps; their squares stay in range.
constexpr int smallestExponent = -400;

double* take(Arena& arena, Index n) { return arena.take<double>(static_cast<std::size_t>(n)); }

}  // namespace

double PartnerMetric::ownLargestMagnitude(Shape s, Dtype dtype) const {
    return largestFinite(dtype) * std::sqrt(eps_) / static_cast<double>(std::max<Index>(1, rank(s)));
}

// R in Context::held. The Gram matrix is formed in double, of weights of order one.
template <class T>
void PartnerMetric::root(const Context<T>& c) const {
    const Index r = rank(c.shape);
    if (r == 0) return;
    const ArenaFrame frame(*c.arena);
    double *gram = take(*c.arena, r * r), *rounded = take(*c.arena, r * r);
    double* vectors = take(*c.arena, r * panel);
    const Index count = left_ ? c.partnerShape.cols : c.partnerShape.rows;
    const int exponent = std::max(kernels::exponentOf(r * count, c.partner), smallestExponent);
    std::fill(gram, gram + r * r, 0.0);
    for (Index from = 0; from < count; from += panel) {
        const Index n = std::min(panel, count - from);
        for (Index v = 0; v < n; ++v)  // the columns of A, or the rows of B
            for (Index i = 0; i < r; ++i)
                vectors[v * r + i] = static_cast<double>(left_ ? c.partner[i * count + from + v]
                                                               : c.partner[(from + v) * r + i]);
        kernels::scaleByPowerOfTwo(n * r, -exponent, vectors, vectors);
        blas::syrk<double>('L', 'N', r, n, 1.0, vectors, r, 1.0, gram, r);
    }
    symmetric::mirror(r, gram);
    inverseRoot(r, gram, 1.0, std::ldexp(eps_, -2 * exponent), 0.5, rounded, *c.arena);
    const double unit = std::ldexp(1.0, -exponent);
    for (Index i = 0; i < r * r; ++i) c.held[i] = static_cast<T>(unit * rounded[i]);
}

template <class T>
void PartnerMetric::turn(const Context<T>& c, const T* x, T* out) const {
    multiply(left_ ? Side::right : Side::left, 'N', c.shape, c.held, x, out);
}

template void PartnerMetric::root<float>(const Context<float>&) const;
template void PartnerMetric::root<double>(const Context<double>&) const;
template void PartnerMetric::turn<float>(const Context<float>&, const float*, float*) const;
template void PartnerMetric::turn<double>(const Context<double>&, const double*, double*) const;

}  // namespace schattor
