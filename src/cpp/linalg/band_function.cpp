#include "linalg/band_function.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>

#include "base/kernels.h"
#include "linalg/band_kernels.h"
#include "linalg/blas.h"

namespace schattor {
namespace {

struct Sizes {
    Index blocks, padded, block;
};

Sizes sizes(Index size, Index width) {
    const Index blocks = (size + width - 1) / width;
    return {blocks, blocks * width, blocks * width * width};
}

// The inverse iteration: vectors beyond those that are wanted, a shift above the rounding errors of T, and
// steps.
constexpr Index oversampling = 4;
constexpr double inverseShift = 1e-15;
constexpr double inverseAccuracy = 1e-6;
constexpr int mostInverseSteps = 30;
constexpr int mostPowerSteps = 20;
constexpr Index widest = 32;

// Gram-Schmidt, twice for each column.
void orthonormalise(Index columns, Index n, double* z) {
    for (Index j = 0; j < columns; ++j) {
        double* own = z + j * n;
        for (int pass = 0; pass < 2; ++pass) {
            for (Index i = 0; i < j; ++i) {
                const double part = kernels::dot(n, z + i * n, own);
                kernels::combine(n, 1.0, own, -part, z + i * n, own);
            }
            const double length = std::sqrt(kernels::sumOfSquares(n, own));
            if (length > 0.0) kernels::scale(n, 1.0 / length, own, own);
        }
    }
}

/// Eigenvalues, ascending, and eigenvectors of a small symmetric matrix, without allocation.
class SmallEigen {
public:
    explicit SmallEigen(Index n) : n_(n) {}
    double* matrix() { return matrix_.data(); }
    double value(Index i) const { return values_[static_cast<std::size_t>(i)]; }
    bool solve() {
        return blas::syevd('U', n_, matrix_.data(), n_, values_.data(), work_.data(), std::ssize(work_),
                           iwork_.data(), std::ssize(iwork_)) == 0;
    }

private:
    static constexpr std::size_t most = static_cast<std::size_t>(BandFunction::mostDropped + oversampling);
    Index n_;
    std::array<double, most * most> matrix_{};
    std::array<double, most> values_{};
    std::array<double, 1 + 6 * most + 2 * most * most> work_{};
    std::array<int, 3 + 5 * most> iwork_{};
};

}  // namespace

BandFunction::BandFunction(Index size, Index width, Arena& arena) : size_(size), width_(width) {
    const Sizes s = sizes(size, width);
    blocks_ = s.blocks;
    padded_ = s.padded;
    const auto take = [&](Index n) { return arena.take<double>(static_cast<std::size_t>(n)); };
    stack_ = take(2 * s.block);
    diagonal_ = take(s.block);
    below_ = take(s.block);
    ratios_ = take(group * s.block);
    inverses_ = take(group * s.block);
    f_ = take(s.padded * s.padded);
    lanes_ = take(lanes * s.padded * width);
    dropped_ = take((mostDropped + oversampling) * s.padded);
}

void BandFunction::clearBand() { std::fill(stack_, stack_ + 2 * blocks_ * width_ * width_, 0.0); }

// T and its scale: the smaller of the Frobenius norm and the largest row sum bounds the largest eigenvalue.
void BandFunction::assemble() {
    band::kernels(width_).assemble(blocks_, stack_, diagonal_, below_);
    const Index bb = width_ * width_;
    double squares = 0.0, largestRow = 0.0;
    for (Index J = 0; J < blocks_; ++J)
        for (Index r = 0; r < width_; ++r) {
            double row = 0.0;
            for (Index c = 0; c < width_; ++c) {
                const double own = diagonal_[J * bb + c * width_ + r];
                const double down = J + 1 < blocks_ ? below_[J * bb + r * width_ + c] : 0.0;
                const double up = J > 0 ? below_[(J - 1) * bb + c * width_ + r] : 0.0;
                row += std::abs(own) + std::abs(down) + std::abs(up);
                squares += own * own + 2.0 * up * up;
            }
            largestRow = std::max(largestRow, row);
        }
    scale_ = std::min(std::sqrt(squares), largestRow);
    for (Index i = 0; i < blocks_ * bb; ++i) diagonal_[i] /= scale_;
    for (Index i = 0; i < (blocks_ - 1) * bb; ++i) below_[i] /= scale_;
    for (Index i = size_; i < padded_; ++i)  // the rows that only fill the last block
        diagonal_[(blocks_ - 1) * bb + (i % width_) * (width_ + 1)] = 1.0;
    droppedCount_ = 0;
}

double BandFunction::traceOfMatrix() const {
    double sum = 0.0;
    for (Index i = 0; i < size_; ++i)
        sum += diagonal_[i / width_ * width_ * width_ + i % width_ * (width_ + 1)];
    return sum;
}

double BandFunction::traceOfFunction() const {
    double sum = 0.0;
    for (Index i = 0; i < size_; ++i) sum += f_[i * (padded_ + 1)];
    return sum;
}

double BandFunction::largest() {
    double *z = lanes_, *image = lanes_ + padded_;
    for (Index i = 0; i < padded_; ++i) z[i] = i < size_ ? std::sin(1.0 + 1.7 * static_cast<double>(i)) : 0.0;
    double value = 0.0;
    for (int step = 0; step < mostPowerSteps; ++step) {
        apply(1, z, image);
        const double length = std::sqrt(kernels::sumOfSquares(padded_, z));
        const double next = std::sqrt(kernels::sumOfSquares(padded_, image)) / length;
        const bool settled = next <= value * 1.01;
        value = next;
        if (settled) break;
        for (Index i = 0; i < padded_; ++i) z[i] = image[i] / next;
    }
    return value;
}

Index BandFunction::countBelow(double x) {
    return band::kernels(width_).eliminate(blocks_, diagonal_, below_, -x, ratios_, inverses_);
}

void BandFunction::evaluate(const RationalPower& r, const Team* team) {
    const band::Kernels& kernels = band::kernels(width_);
    const Index stride = blocks_ * width_ * width_;
    for (Index begin = 0; begin < r.count; begin += group) {
        const Index poles = std::min<Index>(group, r.count - begin);
        Team::each(team, poles, [&](Index j) {
            double *ratios = ratios_ + j * stride, *inverses = inverses_ + j * stride;
            kernels.eliminate(blocks_, diagonal_, below_, r.pole[static_cast<std::size_t>(begin + j)], ratios,
                              inverses);
            kernels.diagonalBlocks(blocks_, ratios, inverses);
        });
        Team::each(team, blocks_, [&](Index I) {
            kernels.column(blocks_, I, poles, stride, r.weight.data() + begin, ratios_, inverses_, begin > 0,
                           f_, padded_);
        });
    }
    for (Index i = 0; i < padded_; ++i) f_[i * (padded_ + 1)] += r.constant;
    if (droppedCount_ > 0) projectOut();
}

// F = (I - Z Z') F (I - Z Z'); the eigenvectors Z commute with F but for rounding errors.
void BandFunction::projectOut() {
    double* inner = lanes_;
    blas::gemm<double>('T', 'N', droppedCount_, padded_, padded_, 1.0, dropped_, padded_, f_, padded_, 0.0,
                       inner, droppedCount_);
    blas::gemm<double>('N', 'N', padded_, padded_, droppedCount_, -1.0, dropped_, padded_, inner,
                       droppedCount_, 1.0, f_, padded_);
    blas::gemm<double>('N', 'N', padded_, droppedCount_, padded_, 1.0, f_, padded_, dropped_, padded_, 0.0,
                       inner, padded_);
    blas::gemm<double>('N', 'T', padded_, padded_, droppedCount_, -1.0, inner, padded_, dropped_, padded_,
                       1.0, f_, padded_);
}

// z = (T + shift)^-1 z with the elimination of the pole in the first place of the group.
void BandFunction::solve(Index columns, double* z) const {
    const Index b = width_, bb = b * b;
    const auto block = [&](Index J) { return z + J * b; };
    std::array<double, static_cast<std::size_t>((mostDropped + oversampling) * widest)> copy;
    for (Index J = blocks_ - 2; J >= 0; --J)
        blas::gemm<double>('T', 'N', b, columns, b, 1.0, ratios_ + J * bb, b, block(J + 1), padded_, 1.0,
                           block(J), padded_);
    for (Index J = 0; J < blocks_; ++J) {
        for (Index c = 0; c < columns; ++c) std::copy_n(block(J) + c * padded_, b, copy.data() + c * b);
        blas::gemm<double>('N', 'N', b, columns, b, 1.0, inverses_ + J * bb, b, copy.data(), b, 0.0, block(J),
                           padded_);
        if (J > 0)
            blas::gemm<double>('N', 'N', b, columns, b, 1.0, ratios_ + (J - 1) * bb, b, block(J - 1), padded_,
                               1.0, block(J), padded_);
    }
}

// out = T z
void BandFunction::apply(Index columns, const double* z, double* out) const {
    const Index b = width_, bb = b * b;
    for (Index J = 0; J < blocks_; ++J) {
        blas::gemm<double>('N', 'N', b, columns, b, 1.0, diagonal_ + J * bb, b, z + J * b, padded_, 0.0,
                           out + J * b, padded_);
        if (J > 0)
            blas::gemm<double>('N', 'N', b, columns, b, 1.0, below_ + (J - 1) * bb, b, z + (J - 1) * b,
                               padded_, 1.0, out + J * b, padded_);
        if (J + 1 < blocks_)
            blas::gemm<double>('T', 'N', b, columns, b, 1.0, below_ + J * bb, b, z + (J + 1) * b, padded_,
                               1.0, out + J * b, padded_);
    }
}

bool BandFunction::drop(Index count, double bound) {
    const Index m = std::min(count + oversampling, size_);
    if (count > mostDropped || m >= size_) return false;
    double *z = dropped_, *image = lanes_;
    // Any start will do whose columns are independent and not orthogonal to what is sought; the same one each
    // time keeps results equal.
    for (Index i = 0; i < m * padded_; ++i) {
        const auto x = static_cast<double>(i);
        z[i] = i % padded_ < size_ ? std::sin(x * (1.0 + 0.7 * x)) : 0.0;
    }
    band::kernels(width_).eliminate(blocks_, diagonal_, below_, inverseShift, ratios_, inverses_);
    SmallEigen small(m);
    for (int step = 0; step < mostInverseSteps; ++step) {
        solve(m, z);
        orthonormalise(m, padded_, z);
        apply(m, z, image);
        blas::gemm<double>('T', 'N', m, m, padded_, 1.0, z, padded_, image, padded_, 0.0, small.matrix(), m);
        if (!small.solve()) return false;
        blas::gemm<double>('N', 'N', padded_, m, m, 1.0, z, padded_, small.matrix(), m, 0.0, image, padded_);
        std::copy(image, image + m * padded_, z);
        Index wanted = 0;
        while (wanted < m && small.value(wanted) < bound) ++wanted;
        if (wanted == 0 || wanted > mostDropped || wanted == m) continue;
        apply(wanted, z, image);
        double residual = 0.0;
        for (Index j = 0; j < wanted; ++j) {
            double* own = image + j * padded_;
            kernels::combine(padded_, 1.0, own, -small.value(j), z + j * padded_, own);
            residual = std::max(residual, std::sqrt(kernels::sumOfSquares(padded_, own)));
        }
        if (step == 0 || residual > inverseAccuracy * bound + 8.0 * inverseShift) continue;
        droppedCount_ = wanted;
        return true;
    }
    return false;
}

double BandFunction::trace() const {
    const Index bb = width_ * width_;
    double sum = 0.0;
    for (Index j = 0; j < size_; ++j) {
        const Index J = j / width_, c = j % width_;
        for (Index r = 0; r < width_ && J * width_ + r < size_; ++r)
            sum += diagonal_[J * bb + c * width_ + r] * f_[j * padded_ + J * width_ + r];
        if (J + 1 == blocks_) continue;
        for (Index r = 0; r < width_ && (J + 1) * width_ + r < size_; ++r)
            sum += 2.0 * below_[J * bb + c * width_ + r] * f_[j * padded_ + (J + 1) * width_ + r];
    }
    return sum;
}

template <class T>
double BandFunction::multiplyBand(double factor, T* out, Index ldOut, const Team* team) {
    double squares[lanes] = {};
    Team::each(team, std::min(lanes, blocks_), [&](Index lane) {
        double* columns = lanes_ + lane * padded_ * width_;
        for (Index J = lane; J < blocks_; J += lanes) {
            const Index above = J > 0 ? width_ : 0;
            blas::gemm<double>(
                'N', 'N', padded_, width_, width_ + above, 1.0, f_ + (J * width_ - above) * padded_, padded_,
                stack_ + J * 2 * width_ * width_ + width_ - above, 2 * width_, 0.0, columns, padded_);
            for (Index c = 0; c < width_ && J * width_ + c < size_; ++c) {
                const double* from = columns + c * padded_;
                T* to = out + (J * width_ + c) * ldOut;
                for (Index i = 0; i < size_; ++i) {
                    to[i] = static_cast<T>(factor * from[i]);
                    squares[lane] += from[i] * from[i];
                }
            }
        }
    });
    double total = 0.0;
    for (const double s : squares) total += s;
    return total;
}

template double BandFunction::multiplyBand<float>(double, float*, Index, const Team*);
template double BandFunction::multiplyBand<double>(double, double*, Index, const Team*);

}  // namespace schattor
