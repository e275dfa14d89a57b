#include "linalg/subspace.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/kernels.h"
#include "linalg/blas.h"
#include "linalg/enclosure.h"
#include "linalg/lanczos.h"
#include "linalg/svd.h"

namespace schattor {
namespace {

constexpr Index smallSide = 24;  // below it the full SVD takes no longer
constexpr Index checkEvery = 3;  // steps between two looks at the Ritz values
constexpr int mostAttempts = 4;
constexpr Index rowPanel = 32;          // rows of A that a remainder takes at a time
constexpr double lowRankCutoff = 1e-8;  // of lambda_1: what a proof of low rank counts

double* take(Arena& arena, Index count) { return arena.take<double>(static_cast<std::size_t>(count)); }

// Sizes of the iteration for k vectors of a matrix with the smaller side n.
struct Sizes {
    Sizes(Index n, Index k)
        : block(k == 1 ? 1 : std::min(n, std::clamp<Index>(k + 2, 4, 8))),
          width(block + 2),
          aside(std::min(n, k + 8)),
          kept(std::min(n, k + std::max<Index>(k / 2, 8))),
          capacity(std::min(n + 2 * width, kept + std::max<Index>(4 * block, k) + 2 * width)) {}
    Index block;     // directions per step
    Index width;     // the same, with those that failed proofs add
    Index aside;     // most vectors that a proof sets apart
    Index kept;      // Ritz vectors that survive a restart
    Index capacity;  // basis vectors
};

class Iteration {
public:
    Iteration(Shape s, const double* a, Index k, const SubspaceOptions& options, Arena& arena);
    /// False when the full SVD must take over.
    bool run(TopSingular& result);

private:
    void start();
    bool residualsFit() const;
    double allowed(double sigma) const;
    bool prove(TopSingular& result);
    bool proveLowRank(TopSingular& result);
    void setLower(const RitzBlock& block, Index count, TopSingular& result) const;
    double remainder(Index j) const;
    double bound(const RitzBlock& block, double beta) const;
    void extract(TopSingular& result);

    Shape shape_;
    const double* a_;
    Index k_, n_;
    const SubspaceOptions& options_;
    Arena& arena_;
    Sizes sizes_;
    Rng rng_;
    BlockProducts products_;
    double *larger_, *smaller_, *u_, *values_;
    FactoredOperator factored_;
    Lanczos lanczos_;
    std::optional<Gram> gram_;
    double frobenius_, energyUpper_;
    int attempts_ = 0;
};

}  // namespace

bool prefersDense(Shape shape, Index k) { return shape.smaller() <= smallSide || 4 * k > shape.smaller(); }

namespace {

Iteration::Iteration(Shape s, const double* a, Index k, const SubspaceOptions& options, Arena& arena)
    : shape_(s),
      a_(a),
      k_(k),
      n_(s.smaller()),
      options_(options),
      arena_(arena),
      sizes_(n_, k),
      rng_(options.seed),
      products_(s, a, take(arena, BlockProducts::panelRoom(s))),
      larger_(take(arena, s.larger() * std::max(sizes_.width, sizes_.aside))),
      smaller_(take(arena, n_)),
      u_(take(arena, n_ * sizes_.aside)),
      values_(take(arena, sizes_.aside)),
      factored_(products_, larger_),
      lanczos_(n_, sizes_.width, sizes_.capacity, arena) {
    const Energy e = energy(s.size(), a);
    energyUpper_ = e.upper;
    frobenius_ = std::sqrt(e.upper) * (1.0 + 1e-15);
    // Products with B are cheaper than two with A, but B takes a large product first: measured, B wins from
    // here on.
    const bool cheaper = sizes_.block * (160 * s.larger() - 80 * n_) > s.size();
    if (options.certify || cheaper) gram_.emplace(s, a, arena);
}

void Iteration::start() {
    for (Index i = 0; i < options_.started && i < sizes_.block; ++i) {
        const double* v = options_.start + i * shape_.cols;
        if (shape_.rows <= shape_.cols)
            products_.toSmaller(1, v, smaller_);
        else
            std::copy_n(v, n_, smaller_);
        lanczos_.add(1, smaller_);
    }
    // One random direction at least, so that nothing is left out for good.
    lanczos_.fill(std::min(n_, std::max(sizes_.block, lanczos_.pending() + 1)), rng_);
}

// What ||BU - U theta|| may be so that ||A v - sigma u||, which is that over sigma, stays below rtol sigma_1.
// Values that are zero at this accuracy need only be known to be.
double Iteration::allowed(double sigma) const {
    const double top = std::sqrt(lanczos_.value(0)), tolerance = options_.rtol * top;
    return std::max(0.5 * tolerance * sigma, 0.01 * tolerance * tolerance);
}

bool Iteration::residualsFit() const {
    for (Index i = 0; i < std::min(k_, lanczos_.size()); ++i)
        if (!(lanczos_.residual(i) <= allowed(std::sqrt(std::max(lanczos_.value(i), 0.0))))) return false;
    return lanczos_.size() >= k_;
}

// A bound of the sum of the k largest singular values of A.
double Iteration::bound(const RitzBlock& block, double beta) const {
    double sum = 0.0;
    for (Index i = 0; i < k_; ++i)
        sum += std::sqrt(upperEigenvalue(block.values[i] + block.spread, beta, block.residual));
    return sum * (1.0 + 1e-14);
}

// Cauchy: singular values of A on a subspace never exceed its own.
void Iteration::setLower(const RitzBlock& block, Index count, TopSingular& result) const {
    result.lower = 0.0;
    for (Index i = 0; i < count; ++i)
        result.lower += std::sqrt(std::max(block.values[i] - block.spread, 0.0)) * (1.0 - 1e-14);
}

// A bound of ||A - U Z'||_F for the j vectors U and Z = A'U in place, a few rows of A at a time.
double Iteration::remainder(Index j) const {
    const ArenaFrame frame(arena_);
    const Index m = shape_.rows, n = shape_.cols, larger = shape_.larger();
    const bool wide = m <= n;
    double* rows = take(arena_, rowPanel * n);
    double squares = 0.0;
    for (Index first = 0; first < m; first += rowPanel) {
        const Index count = std::min(rowPanel, m - first);
        std::copy_n(a_ + first * n, count * n, rows);
        // In LAPACK's view the rows of A are columns: A' = Z U' (wide) or U Z' (tall).
        const double* across = wide ? larger_ : u_;
        const double* along = wide ? u_ : larger_;
        blas::gemm<double>('N', 'T', n, count, j, -1.0, across, wide ? larger : n_, along + first,
                           wide ? n_ : larger, 1.0, rows, n);
        squares += kernels::dot(count * n, rows, rows);
    }
    // The products have j terms of size at most ||U||_F ||Z||_F in all.
    const double rounding = static_cast<double>(4 * (j + 8)) * machineEpsilon(Dtype::float64) *
                            std::sqrt(static_cast<double>(j)) * frobenius_;
    return std::sqrt(squares) * (1.0 + 1e-9) + rounding;
}

// For a matrix of low rank: sum sigma_i(A) <= sum sigma_i(QQ'A) + sqrt(k) ||A - QQ'A||_F, which stays sharp
// where the bound of `prove`, a root of small eigenvalues, does not.
bool Iteration::proveLowRank(TopSingular& result) {
    Index rank = 0;
    while (rank < std::min(sizes_.aside, lanczos_.size()) &&
           lanczos_.value(rank) > lowRankCutoff * lanczos_.value(0))
        ++rank;
    if (rank >= std::min(sizes_.aside, lanczos_.size()) && lanczos_.pending() > 0) return false;
    lanczos_.vectors(0, rank, u_);
    const RitzBlock block = measure(products_, rank, u_, frobenius_, larger_, smaller_, values_);
    const Index count = std::min(rank, k_);
    double sum = 0.0;
    for (Index i = 0; i < count; ++i) sum += std::sqrt(block.values[i] + block.spread);
    products_.toLarger(rank, u_, larger_);
    const double upper = (sum + std::sqrt(static_cast<double>(k_)) * remainder(rank)) * (1.0 + 1e-14);
    TopSingular trial = result;
    setLower(block, count, trial);
    if (upper - trial.lower > options_.rtol * trial.lower) return false;
    result.lower = trial.lower;
    result.upper = upper;
    return true;
}

// Sets Ritz vectors apart and proves that nothing else reaches up to them.
bool Iteration::prove(TopSingular& result) {
    Index best = 0;
    double margin = 0.0, squares = 0.0, sum = 0.0;
    for (Index i = 0; i < k_; ++i) sum += std::sqrt(std::max(lanczos_.value(i), 0.0));
    // Each value may grow by an equal share of what the sum may; half of it is left to rounding.
    const double share = 0.5 * options_.rtol * sum / static_cast<double>(k_);
    const double last = std::sqrt(std::max(lanczos_.value(k_ - 1), 0.0));
    const double room = share * (2.0 * last + share), top = lanczos_.value(0);
    for (Index j = 1; j <= std::min(sizes_.aside, lanczos_.size()); ++j) {
        squares += lanczos_.residual(j - 1) * lanczos_.residual(j - 1);
        if (j < k_) continue;
        const double beta = last * last + room - squares / room;
        const double next = j < lanczos_.size() ? lanczos_.value(j) + lanczos_.residual(j) : 0.0;
        const double gap = beta - next - gram_->slack(std::max(beta, 0.0), j, top, frobenius_);
        if (gap > margin) {
            margin = gap;
            best = j;
        }
    }
    if (best == 0) return false;
    lanczos_.vectors(0, best, u_);
    const RitzBlock block = measure(products_, best, u_, frobenius_, larger_, smaller_, values_);
    const double floor = std::max(block.values[k_ - 1], 0.0) + block.spread;
    const double beta = floor + room - block.residual * (block.residual / room);
    if (!(beta > 0.0)) return false;
    ++attempts_;
    if (gram_->complementBelow(beta, best, u_, block.values[0], frobenius_, smaller_)) {
        result.upper = bound(block, beta);
        setLower(block, k_, result);
        return true;
    }
    ++result.fallbacks;
    // Where one direction was missed, as in a cluster larger than the blocks, there may be others.
    lanczos_.add(1, smaller_);
    lanczos_.fill(sizes_.block, rng_);
    return false;
}

// The SVD of A restricted to the subspace: on one side the rotated basis, on the other the SVD's own vectors.
void Iteration::extract(TopSingular& result) {
    const ArenaFrame frame(arena_);
    const Index j = std::min(sizes_.aside, lanczos_.size()), n = shape_.larger();
    lanczos_.vectors(0, j, u_);
    products_.toLarger(j, u_, larger_);
    const Svd svd = thinSvd(Shape{j, n}, larger_, arena_);
    const bool wide = shape_.rows <= shape_.cols;
    double* small = wide ? result.left : result.right;
    double* large = wide ? result.right : result.left;
    blas::gemm<double>('N', 'T', n_, k_, j, 1.0, u_, n_, svd.left, j, 0.0, small, n_);
    std::copy_n(svd.right, k_ * n, large);
    for (Index i = 0; i < k_; ++i) result.sigma[i] = std::ldexp(svd.sigma[i], svd.exponent);
}

// The larger of the two residuals over all k vectors, relative to sigma_1.
double measuredResidual(const SidedProducts& a, const TopSingular& result, Arena& arena) {
    const ArenaFrame frame(arena);
    const Index k = result.count, n = a.shape.larger(), small = a.shape.smaller();
    const bool wide = a.shape.rows <= a.shape.cols;
    const double* left = wide ? result.left : result.right;
    const double* right = wide ? result.right : result.left;
    double* larger = take(arena, k * n);
    double* smaller = take(arena, k * small);
    a.toLarger(k, left, larger);
    a.toSmaller(k, right, smaller);
    double worst = 0.0;
    for (Index i = 0; i < k; ++i) {
        double *z = larger + i * n, *x = smaller + i * small;
        kernels::combine(n, 1.0, z, -result.sigma[i], right + i * n, z);
        kernels::combine(small, 1.0, x, -result.sigma[i], left + i * small, x);
        worst = std::max({worst, kernels::dot(n, z, z), kernels::dot(small, x, x)});
    }
    return std::sqrt(worst) / result.sigma[0];
}

// Bounds of the sum that hold without a proof: the sigma_i are singular values of A on a subspace, so never
// above the exact ones, and sum_k sigma_i <= sqrt(k) ||A||_F.
void boundBroadly(Shape s, double energyUpper, TopSingular& result) {
    double sum = 0.0;
    for (Index i = 0; i < result.count; ++i) sum += result.sigma[i];
    const auto count = static_cast<double>(result.count);
    const double relative =
        static_cast<double>(4 * (s.larger() + result.count)) * machineEpsilon(Dtype::float64);
    result.lower = std::max(sum - count * relative * std::sqrt(energyUpper), 0.0);
    result.upper = std::sqrt(count * energyUpper) * (1.0 + 1e-15);
}

bool Iteration::run(TopSingular& result) {
    start();
    // What the iteration may cost: about as much as the full SVD, in vectors.
    const int most = static_cast<int>(2 * n_ + 8 * sizes_.width);
    bool proven = false;
    Index unseen = 0;
    while (result.iterations < most && attempts_ < mostAttempts && lanczos_.pending() > 0) {
        if (lanczos_.full()) lanczos_.restart(std::min(sizes_.kept, lanczos_.size() - 1));
        const SymmetricOperator& b = gram_ ? static_cast<const SymmetricOperator&>(*gram_) : factored_;
        result.iterations += static_cast<int>(lanczos_.pending());
        lanczos_.expand(b);
        if (++unseen < checkEvery && !lanczos_.full() && lanczos_.pending() > 0) continue;
        unseen = 0;
        if (!lanczos_.solve()) return false;
        if (lanczos_.pending() == 0 && lanczos_.size() < k_)
            lanczos_.fill(std::min(k_ - lanczos_.size(), sizes_.block), rng_);
        if (!residualsFit() && lanczos_.pending() > 0) continue;
        proven = !options_.certify || (lanczos_.size() >= k_ && (prove(result) || proveLowRank(result)));
        if (proven && lanczos_.size() >= k_) break;
    }
    if (!proven || lanczos_.size() < k_) return false;
    extract(result);
    result.residual = measuredResidual(products_, result, arena_);
    result.converged = result.residual <= options_.rtol;
    if (!options_.certify) boundBroadly(shape_, energyUpper_, result);
    result.certified = result.upper - result.lower <= options_.rtol * result.lower;
    return result.converged && (!options_.certify || result.certified);
}

void fullSvd(Shape s, const double* a, const SubspaceOptions& options, TopSingular& result, Arena& arena) {
    const ArenaFrame frame(arena);
    const Svd svd = thinSvd(s, a, arena);
    const Index k = result.count;
    for (Index i = 0; i < k; ++i)
        for (Index l = 0; l < s.rows; ++l) result.left[l + i * s.rows] = svd.left[i + l * s.smaller()];
    std::copy_n(svd.right, k * s.cols, result.right);
    for (Index i = 0; i < k; ++i) result.sigma[i] = std::ldexp(svd.sigma[i], svd.exponent);
    result.dense = true;
    result.residual =
        measuredResidual(BlockProducts(s, a, take(arena, BlockProducts::panelRoom(s))), result, arena);
    result.converged = result.residual <= options.rtol;
    boundBroadly(s, energy(s.size(), a).upper, result);
    result.certified = result.upper - result.lower <= options.rtol * result.lower;
    result.fallbacks += svd.fallbacks;
}

bool iterate(Shape s, const double* a, const SubspaceOptions& options, TopSingular& result, Arena& arena) {
    const ArenaFrame frame(arena);
    return Iteration(s, a, result.count, options, arena).run(result);
}

// A in double, times a power of two.
template <class T>
double* scaledCopy(Shape s, const T* a, int exponent, Arena& arena) {
    double* copy = take(arena, s.size());
    std::copy(a, a + s.size(), copy);
    if (exponent != 0) kernels::scaleByPowerOfTwo(s.size(), -exponent, copy, copy);
    return copy;
}

}  // namespace

template <class T>
TopSingular topSingular(Shape shape, const T* a, Index k, const SubspaceOptions& options, Arena& arena) {
    TopSingular result;
    result.count = k;
    result.left = take(arena, k * shape.rows);
    result.right = take(arena, k * shape.cols);
    result.sigma = take(arena, k);
    result.exponent = kernels::exponentOf(shape.size(), a);
    const ArenaFrame frame(arena);
    const double* scaled = scaledCopy(shape, a, result.exponent, arena);
    if (!options.certify && prefersDense(shape, k)) {
        fullSvd(shape, scaled, options, result, arena);
        return result;
    }
    if (!iterate(shape, scaled, options, result, arena)) {
        ++result.fallbacks;
        fullSvd(shape, scaled, options, result, arena);
    }
    return result;
}

#define SCHATTOR_INSTANTIATE(T) \
    template TopSingular topSingular<T>(Shape, const T*, Index, const SubspaceOptions&, Arena&);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)

}  // namespace schattor
