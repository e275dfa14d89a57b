#include "frame/eigenbasis.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "linalg/inverse_root.h"
#include "linalg/orthonormal.h"

namespace schattor {
namespace {

template <class T>
void transpose(Index k, const T* x, T* out) {
    for (Index i = 0; i < k; ++i)
        for (Index j = 0; j < k; ++j) out[j * k + i] = x[i * k + j];
}

// By falling eigenvalue.
template <class T>
void eigenvectors(Index k, const T* s, T* q, Arena& arena) {
    const ArenaFrame frame(arena);
    const SymmetricEigen e = symmetricEigen(k, s, arena);
    for (Index j = 0; j < k; ++j)
        for (Index i = 0; i < k; ++i) q[i * k + j] = static_cast<T>(e.vectors[(k - 1 - j) * k + i]);
}

// The new vectors stay in their columns, where SOAP sorts columns and second moments: the order of
// coordinates means nothing, and so what is kept inside the frame need not move.
template <class T>
void powerStep(Index k, const T* s, T* q, Arena& arena) {
    const ArenaFrame frame(arena);
    const auto n = static_cast<std::size_t>(k);
    T *vectors = arena.take<T>(n * n), *products = arena.take<T>(n * n);
    double* estimates = arena.take<double>(n);
    Index* order = arena.take<Index>(n);
    transpose(k, q, vectors);
    multiply(Side::right, 'N', {k, k}, s, vectors, products);  // row j is (S q_j)'
    for (Index j = 0; j < k; ++j) {
        estimates[j] = kernels::dot(k, vectors + j * k, products + j * k);
        order[j] = j;
    }
    std::sort(order, order + k, [&](Index a, Index b) {
        return estimates[a] != estimates[b] ? estimates[a] > estimates[b] : a < b;
    });
    // A power of two keeps what LAPACK squares inside the range.
    const int exponent = kernels::exponentOf(k * k, products);
    for (Index j = 0; j < k; ++j)
        kernels::scaleByPowerOfTwo(k, -exponent, products + order[j] * k, vectors + j * k);
    orthonormalize(k, k, vectors, arena);
    for (Index j = 0; j < k; ++j)
        for (Index i = 0; i < k; ++i) q[i * k + order[j]] = vectors[j * k + i];
}

}  // namespace

std::vector<StateSlot> EigenbasisFrame::state(Shape shape) const {
    std::vector<StateSlot> result;
    for (const Side side : bothSides) {
        if (!has(side, shape)) continue;
        const Index k = sizeOf(side, shape);
        const std::string name = side == Side::left ? "left_" : "right_";
        result.push_back({name + "average", {k, k}});
        result.push_back({name + "basis", {k, k}});
    }
    return result;
}

double EigenbasisFrame::ownLargestMagnitude(Shape shape, Dtype dtype) const {
    return 0.5 * std::sqrt(largestFinite(dtype) / static_cast<double>(std::max<Index>(1, shape.size())));
}

template <class T>
void EigenbasisFrame::advance(const Context<T>& c, const T* g, bool first) const {
    const double b = c(beta_);
    const bool due = (c.count + 1) % frequency_ == 0;
    for (const Side side : bothSides) {
        if (!has(side, c.shape)) continue;
        const Index k = sizeOf(side, c.shape);
        if (k == 0) continue;
        T *s = average(side, c), *q = basis(side, c);
        addGram(side, c.shape, b, 1.0 - b, g, c.shape.cols, s);
        if (first || (due && following_ == Following::eigenvectors))
            eigenvectors(k, s, q, *c.arena);
        else if (due)
            powerStep(k, s, q, *c.arena);
    }
}

template <class T>
void EigenbasisFrame::turn(const Context<T>& c, char transposed, const T* x, T* out) const {
    const auto on = [&](Side side, char trans) {
        return has(side, c.shape) ? Factor<T>{basis(side, c), trans} : Factor<T>{};
    };
    const char other = transposed == 'T' ? 'N' : 'T';
    multiply(on(Side::left, transposed), on(Side::right, other), c.shape, x, out, *c.arena);
}

template void EigenbasisFrame::advance<float>(const Context<float>&, const float*, bool) const;
template void EigenbasisFrame::advance<double>(const Context<double>&, const double*, bool) const;
template void EigenbasisFrame::turn<float>(const Context<float>&, char, const float*, float*) const;
template void EigenbasisFrame::turn<double>(const Context<double>&, char, const double*, double*) const;

}  // namespace schattor
