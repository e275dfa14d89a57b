#include "linalg/lanczos.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "base/kernels.h"
#include "linalg/blas.h"

namespace schattor {
namespace {

// The documented minimum of syevd with vectors.
Index eigenWorkspace(Index n) { return 1 + 6 * n + 2 * n * n; }
Index eigenIntegers(Index n) { return 3 + 5 * n; }

double* take(Arena& arena, Index count) { return arena.take<double>(static_cast<std::size_t>(count)); }

// Rows that a restart rotates at a time.
constexpr Index panel = 64;

}  // namespace

Lanczos::Lanczos(Index n, Index width, Index capacity, Arena& arena)
    : n_(n), width_(width), capacity_(capacity), arena_(arena) {
    basis_ = take(arena, n * capacity);
    h_ = take(arena, capacity * capacity);
    coupling_ = take(arena, width * capacity);
    ritz_ = take(arena, capacity * capacity);
    values_ = take(arena, capacity);
    // syevd, the coefficients of a block and a panel of a restart take turns.
    work_ = take(arena, std::max({eigenWorkspace(capacity), capacity * width, capacity * panel}));
    iwork_ = arena.take<int>(static_cast<std::size_t>(eigenIntegers(capacity)));
}

// Makes x orthogonal to the first `against` columns of V and P and of unit length, in as many passes as it
// takes until one leaves most of it ("twice is enough", Parlett, section 6.9). False when nothing is left.
bool Lanczos::orthonormalize(Index against, double* x) const {
    double length = std::sqrt(kernels::dot(n_, x, x));
    if (!(length > 0.0) || !std::isfinite(length)) return false;
    kernels::scale(n_, 1.0 / length, x, x);
    for (int pass = 0; pass < 6; ++pass) {
        for (Index j = 0; j < against; ++j)
            kernels::combine(n_, 1.0, x, -kernels::dot(n_, column(j), x), column(j), x);
        length = std::sqrt(kernels::dot(n_, x, x));
        if (!(length > 0.0)) return false;
        kernels::scale(n_, 1.0 / length, x, x);
        if (length > 0.7) return true;
    }
    return false;
}

void Lanczos::add(Index count, double* x) {
    for (Index i = 0; i < count; ++i) {
        if (pending_ == width_ || size_ + pending_ >= std::min(n_, capacity_)) return;
        if (!orthonormalize(size_ + pending_, x + i * n_)) continue;
        std::copy_n(x + i * n_, n_, column(size_ + pending_));
        for (Index j = 0; j < coupled_; ++j) coupling_[pending_ + j * width_] = 0.0;
        ++pending_;
    }
}

void Lanczos::fill(Index count, Rng& rng) {
    const ArenaFrame frame(arena_);
    double* x = take(arena_, n_);
    for (int attempt = 0; attempt < 100 && pending_ < count && size_ + pending_ < n_; ++attempt) {
        rng.normal(n_, x);
        add(1, x);
    }
}

void Lanczos::expand(const SymmetricOperator& b) {
    if (full()) throw std::logic_error("Lanczos: no room for another block");
    const Index first = size_, block = pending_;
    size_ += block;
    double* w = column(size_);
    b.apply(block, column(first), w);
    double largest = 0.0;
    for (Index i = 0; i < block; ++i)
        largest = std::max(largest, std::sqrt(kernels::dot(n_, w + i * n_, w + i * n_)));
    for (int pass = 0; pass < 2; ++pass) {
        double* h = work_;
        blas::gemm<double>('T', 'N', size_, block, n_, 1.0, basis_, n_, w, n_, 0.0, h, size_);
        blas::gemm<double>('N', 'N', n_, block, size_, -1.0, basis_, n_, h, size_, 1.0, w, n_);
        for (Index j = 0; j < block; ++j)
            for (Index i = 0; i < size_; ++i) {
                double& entry = h_[i + (first + j) * capacity_];
                entry = pass == 0 ? h[i + j * size_] : entry + h[i + j * size_];
            }
    }
    for (Index j = first; j < size_; ++j)
        for (Index i = 0; i < j; ++i) {
            // The two copies inside the new block differ by rounding; the upper one is kept.
            h_[j + i * capacity_] = h_[i + j * capacity_];
        }
    // The rest becomes the new P, and its triangular factor C. What is rounding of B is dropped.
    pending_ = 0;
    coupledFrom_ = first;
    coupled_ = block;
    std::fill(coupling_, coupling_ + width_ * block, 0.0);
    for (Index j = 0; j < block; ++j) {
        double* x = w + j * n_;
        for (int pass = 0; pass < 2; ++pass)
            for (Index i = 0; i < pending_; ++i) {
                const double along = kernels::dot(n_, column(size_ + i), x);
                kernels::combine(n_, 1.0, x, -along, column(size_ + i), x);
                coupling_[i + j * width_] += along;
            }
        const double length = std::sqrt(kernels::dot(n_, x, x));
        if (size_ + pending_ >= n_ || !(length > 1e-14 * largest)) continue;
        coupling_[pending_ + j * width_] = length;
        // Two passes left x orthogonal up to rounding of w: enough unless little of w is left.
        if (length > 0.01 * largest) {
            kernels::scale(n_, 1.0 / length, x, x);
        } else if (!orthonormalize(size_ + pending_, x)) {
            coupling_[pending_ + j * width_] = 0.0;
            continue;
        }
        if (x != column(size_ + pending_)) std::copy_n(x, n_, column(size_ + pending_));
        ++pending_;
    }
}

bool Lanczos::solve() {
    solved_ = size_;
    for (Index j = 0; j < size_; ++j) std::copy_n(h_ + j * capacity_, size_, ritz_ + j * size_);
    return blas::syevd('U', size_, ritz_, size_, values_, work_, eigenWorkspace(size_), iwork_,
                       eigenIntegers(size_)) == 0;
}

void Lanczos::restart(Index kept) {
    for (Index i = 0; i < n_; i += panel) {
        const Index rows = std::min(panel, n_ - i);
        // Ritz vectors ascend; the last `kept` of them are taken, and turned round while they are copied
        // back.
        blas::gemm<double>('N', 'N', rows, kept, size_, 1.0, basis_ + i, n_, ritz(kept - 1), solved_, 0.0,
                           work_, rows);
        for (Index j = 0; j < kept; ++j) std::copy_n(work_ + (kept - 1 - j) * rows, rows, column(j) + i);
    }
    // C of the Ritz vectors.
    for (Index i = 0; i < kept; ++i)
        for (Index l = 0; l < pending_; ++l) {
            double sum = 0.0;
            for (Index j = 0; j < coupled_; ++j) sum += coupling_[l + j * width_] * ritz(i)[coupledFrom_ + j];
            work_[l + i * width_] = sum;
        }
    std::copy_n(work_, width_ * kept, coupling_);
    coupledFrom_ = 0;
    coupled_ = kept;
    std::copy(column(size_), column(size_ + pending_), column(kept));
    for (Index j = 0; j < kept; ++j) {
        std::fill_n(h_ + j * capacity_, kept, 0.0);
        h_[j + j * capacity_] = value(j);
    }
    size_ = kept;
}

double Lanczos::residual(Index i) const {
    double squares = 0.0;
    for (Index l = 0; l < pending_; ++l) {
        double sum = 0.0;
        for (Index j = 0; j < coupled_; ++j) sum += coupling_[l + j * width_] * ritz(i)[coupledFrom_ + j];
        squares += sum * sum;
    }
    return std::sqrt(squares);
}

double Lanczos::trace() const {
    double sum = 0.0;
    for (Index j = 0; j < size_; ++j) sum += h_[j + j * capacity_];
    return sum;
}

void Lanczos::vectors(Index first, Index count, double* out) const {
    for (Index i = 0; i < count; ++i)
        blas::gemm<double>('N', 'N', n_, 1, solved_, 1.0, basis_, n_, ritz(first + i), solved_, 0.0,
                           out + i * n_, n_);
}

}  // namespace schattor
