#include "linalg/spectral_norm.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/kernels.h"
#include "linalg/enclosure.h"
#include "linalg/lanczos.h"
#include "linalg/svd.h"

namespace schattor {
namespace {

constexpr Index mostDeflated = 8;  // leading Ritz vectors that a proof may set apart
constexpr Index capacity = 48;     // Lanczos vectors before a restart
constexpr Index keptOnRestart = 16;
constexpr Index checkEvery = 4;    // products between two looks at the Ritz values
constexpr int mostProducts = 240;  // what dense singular values cost
constexpr int mostAttempts = 8;

double* take(Arena& arena, Index count) { return arena.take<double>(static_cast<std::size_t>(count)); }
Index capacityFor(Index k) { return std::min(k + 2, capacity); }

// Entries whose squares, and sums of squares of products, stay inside double: the rest is scaled first.
bool needsScaling(Dtype dtype, int exponent) {
    return std::abs(exponent) > (dtype == Dtype::float32 ? 60 : 200);
}

// One computation of the norm of a scaled, non-zero matrix with both sides above one.
template <class T>
class Search {
public:
    Search(Shape s, const T* a, const SpectralOptions& options, double* right, Arena& arena);
    SpectralNorm run();

private:
    struct Plan {
        Index deflated = 0;
        double beta = 0.0;    // what the complement must stay below
        double margin = 0.0;  // what is known to lie between, relative to theta_1; positive: try
    };
    void start();
    bool look();
    double boundFor(double top, double residual) const;
    template <class Floor>
    Plan best(Floor floor) const;
    bool converged() const;
    bool proveByTrace();
    bool proveByCholesky();
    RitzBlock measured(Index j);
    void raiseLower(const RitzBlock& block);
    void proveLoosely();
    bool accept(const RitzBlock& block, double beta, SpectralMethod method);
    SpectralNorm dense();

    Shape shape_;
    const T* a_;
    const SpectralOptions& options_;
    double rtol_;
    double* right_;
    Arena& arena_;
    Index k_;
    Rng rng_;
    VectorProducts<T> plain_, exact_;
    double *larger_, *smaller_, *u_, *values_;
    FactoredOperator factored_;
    Lanczos lanczos_;
    std::optional<Gram> gram_;
    Energy energy_;
    double frobenius_;
    SpectralNorm result_;
    int attempts_ = 0;
};

template <class T>
Search<T>::Search(Shape s, const T* a, const SpectralOptions& options, double* right, Arena& arena)
    : shape_(s),
      a_(a),
      options_(options),
      rtol_(options.rtol.value_or(sizeof(T) == sizeof(float) ? 1e-7 : 1e-13)),
      right_(right),
      arena_(arena),
      k_(s.smaller()),
      rng_(options.seed),
      plain_(s, a, nullptr),
      exact_(s, a, take(arena, s.cols)),
      larger_(take(arena, s.larger() * mostDeflated)),
      smaller_(take(arena, k_)),
      u_(take(arena, k_ * mostDeflated)),
      values_(take(arena, mostDeflated)),
      factored_(plain_, larger_),
      lanczos_(k_, 2, capacityFor(k_), arena),
      energy_(energy(s.size(), a)),
      frobenius_(std::sqrt(energy_.upper) * (1.0 + 1e-15)) {
    result_.certified = false;
    result_.upper = frobenius_;
}

template <class T>
void Search<T>::start() {
    if (options_.start != nullptr) {
        if (shape_.rows <= shape_.cols)
            plain_.toSmaller(1, options_.start, smaller_);
        else
            std::copy_n(options_.start, k_, smaller_);
        if (!options_.certify) {
            // Nothing will tell when the start lacks the leading direction, so a little of everything is
            // added.
            rng_.normal(k_, u_);
            const double length = std::sqrt(kernels::dot(k_, smaller_, smaller_));
            kernels::combine(k_, 1.0, smaller_, 1e-3 * length / std::sqrt(static_cast<double>(k_)), u_,
                             smaller_);
        }
        lanczos_.add(1, smaller_);
    }
    lanczos_.fill(1, rng_);
}

// With j vectors set apart and the residual r, f(theta_1) <= (1 + rtol)^2 theta_1 holds up to this beta; half
// of rtol is left to rounding.
template <class T>
double Search<T>::boundFor(double top, double residual) const {
    const double room = top * rtol_;
    return top + room - residual * (residual / room);
}

// The number of Ritz vectors to set apart so that the complement, estimated by floor(j), is farthest below.
template <class T>
template <class Floor>
typename Search<T>::Plan Search<T>::best(Floor floor) const {
    const double top = lanczos_.value(0);
    Plan best;
    best.margin = -1.0;
    double squares = 0.0;
    for (Index j = 1; j <= std::min(mostDeflated, lanczos_.size()); ++j) {
        const double r = lanczos_.residual(j - 1);
        squares += r * r;
        const double beta = boundFor(top, std::sqrt(squares));
        const double margin = (beta - floor(j)) / top;
        if (margin > best.margin) best = {j, beta, margin};
    }
    return best;
}

template <class T>
bool Search<T>::converged() const {
    const Plan plan = best([&](Index j) {
        const double slack = gram_ ? gram_->slack(lanczos_.value(0), j, lanczos_.value(0), frobenius_) : 0.0;
        if (j >= lanczos_.size()) return slack;
        return lanczos_.value(j) + lanczos_.residual(j) + slack;
    });
    return plan.margin > 0.0;
}

template <class T>
RitzBlock Search<T>::measured(Index j) {
    lanczos_.vectors(0, j, u_);
    return measure(exact_, j, u_, frobenius_, larger_, smaller_, values_);
}

template <class T>
void Search<T>::raiseLower(const RitzBlock& block) {
    const double below = std::max(block.values[0] - block.spread, 0.0);
    result_.lower = std::max(result_.lower, std::sqrt(below) * (1.0 - 1e-15));
}

// Takes the bounds that this block and this beta give; true when they are close enough.
template <class T>
bool Search<T>::accept(const RitzBlock& block, double beta, SpectralMethod method) {
    const double theta = block.values[0];
    raiseLower(block);
    const double upper =
        std::sqrt(upperEigenvalue(theta + block.spread, beta, block.residual)) * (1.0 + 1e-15);
    result_.value = std::sqrt(theta);
    result_.upper = std::min(result_.upper, upper);
    result_.method = method;
    result_.certified = result_.upper - result_.lower <= rtol_ * result_.value;
    return result_.certified;
}

template <class T>
bool Search<T>::proveByTrace() {
    double captured = 0.0;
    Index counted = 0;
    const auto rest = [&](Index j) {
        for (; counted < j; ++counted) captured += lanczos_.value(counted);
        return energy_.value - captured;
    };
    const Plan plan = best(rest);
    if (plan.margin <= 0.0) return false;
    const RitzBlock block = measured(plan.deflated);
    return accept(block, std::max(energy_.upper - block.captured, 0.0), SpectralMethod::trace);
}

template <class T>
bool Search<T>::proveByCholesky() {
    const Plan plan = best([&](Index j) { return j < lanczos_.size() ? lanczos_.value(j) : 0.0; });
    const RitzBlock block = measured(plan.deflated);
    const double top = block.values[0] + block.spread;
    const double beta = boundFor(top, block.residual);
    const double next = plan.deflated < lanczos_.size() ? lanczos_.value(plan.deflated) : 0.0;
    if (beta <= next + gram_->slack(top, plan.deflated, top, frobenius_)) return false;
    ++attempts_;
    if (gram_->complementBelow(beta, plan.deflated, u_, top, frobenius_, smaller_))
        return accept(block, beta, SpectralMethod::cholesky);
    ++result_.fallbacks;
    raiseLower(block);
    lanczos_.add(1, smaller_);
    return false;
}

// One look at the Ritz values; true when the search is over.
template <class T>
bool Search<T>::look() {
    if (!lanczos_.solve()) return false;
    if (proveByTrace()) return true;
    const bool exhausted = lanczos_.pending() == 0;
    if (gram_) {
        if ((converged() || exhausted) && proveByCholesky()) return true;
    } else if (!options_.certify) {
        if (converged() || exhausted) {
            accept(measured(1), energy_.upper, SpectralMethod::trace);
            return true;
        }
    } else if (exhausted || (lanczos_.size() >= 8 && energy_.value - lanczos_.trace() > lanczos_.value(0))) {
        gram_.emplace(shape_, a_, arena_);
        if ((converged() || exhausted) && proveByCholesky()) return true;
    }
    return false;
}

template <class T>
SpectralNorm Search<T>::run() {
    start();
    Index unseen = 0;
    while (result_.iterations < mostProducts && attempts_ < mostAttempts && lanczos_.pending() > 0) {
        const SymmetricOperator& b = gram_ ? static_cast<const SymmetricOperator&>(*gram_) : factored_;
        if (lanczos_.full()) {
            if (!lanczos_.solve()) break;
            lanczos_.restart(std::min(keptOnRestart, lanczos_.size() / 2));
        }
        result_.iterations += static_cast<int>(lanczos_.pending());
        lanczos_.expand(b);
        if (++unseen < checkEvery && lanczos_.pending() > 0) continue;
        unseen = 0;
        if (look()) break;
    }
    if (result_.certified || (!options_.certify && result_.value > 0.0)) {
        if (right_ != nullptr) {
            const double* v = shape_.rows <= shape_.cols ? larger_ : u_;
            const double length = std::sqrt(kernels::dot(shape_.cols, v, v));
            kernels::scale(shape_.cols, 1.0 / length, v, right_);
        }
        return result_;
    }
    return dense();
}

// An upper bound next to the value, with nothing set apart: only as close as the rounding of B allows.
template <class T>
void Search<T>::proveLoosely() {
    if (!gram_) return;
    const double square = result_.value * result_.value;
    const double beta = square + 2.0 * gram_->slack(square, 0, 0.0, frobenius_);
    if (gram_->complementBelow(beta, 0, nullptr, 0.0, frobenius_, nullptr))
        result_.upper = std::min(result_.upper, std::sqrt(beta) * (1.0 + 1e-15));
}

// The singular values by LAPACK. The bounds stay what is proven.
template <class T>
SpectralNorm Search<T>::dense() {
    ++result_.fallbacks;
    result_.method = SpectralMethod::svd;
    const ArenaFrame frame(arena_);
    const Svd svd = right_ != nullptr ? thinSvd(shape_, a_, arena_) : singularValues(shape_, a_, arena_);
    result_.value = std::ldexp(svd.sigma[0], svd.exponent);
    if (right_ != nullptr) std::copy_n(svd.right, shape_.cols, right_);
    proveLoosely();
    result_.certified = result_.upper - result_.lower <= rtol_ * result_.value;
    return result_;
}

// A vector, or a zero matrix.
template <class T>
SpectralNorm closedForm(Shape s, const T* a, double* right) {
    SpectralNorm result;
    const Energy e = energy(s.size(), a);
    const double length = std::sqrt(e.value);
    result.value = length;
    result.lower = length * (1.0 - 1e-15);
    result.upper = length * (1.0 + 1e-15);
    if (right != nullptr) {
        std::fill_n(right, s.cols, 0.0);
        if (length > 0.0 && s.cols == 1)
            right[0] = 1.0;
        else if (length > 0.0)
            for (Index j = 0; j < s.cols; ++j) right[j] = static_cast<double>(a[j]) / length;
    }
    return result;
}

}  // namespace

template <class T>
SpectralNorm spectralNorm(Shape shape, const T* a, const SpectralOptions& options, double* right,
                          Arena& arena) {
    const double largest = kernels::maxAbs(shape.size(), a);
    int exponent = 0;
    std::frexp(largest, &exponent);
    const ArenaFrame frame(arena);
    if (!needsScaling(dtypeOf<T>, exponent)) {
        exponent = 0;
    } else {
        T* scaled = arena.take<T>(static_cast<std::size_t>(shape.size()));
        kernels::scaleByPowerOfTwo(shape.size(), -exponent, a, scaled);
        a = scaled;
    }
    SpectralNorm result;
    if (shape.isVector() || largest == 0.0)
        result = closedForm(shape, a, right);
    else
        result = Search<T>(shape, a, options, right, arena).run();
    result.exponent = exponent;
    return result;
}

#define SCHATTOR_INSTANTIATE(T) \
    template SpectralNorm spectralNorm<T>(Shape, const T*, const SpectralOptions&, double*, Arena&);
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)

}  // namespace schattor
