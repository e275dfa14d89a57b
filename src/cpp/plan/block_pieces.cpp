#include "plan/block_pieces.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "linalg/norms.h"

namespace schattor {
namespace {

/// Entries of a tile.
constexpr Index tile = 2048;

}  // namespace

template <class T>
Piece BlockPieces<T>::advance(const Context<T>& whole, const BlockIo& io, const Coupling& coupling,
                              Index begin, Index length) const {
    Piece result;
    const std::optional<kernels::Descent<T>> descent = descentOf(whole, io, coupling);
    for (Index at = begin; at < begin + length; at += tile) {
        const ArenaFrame frame(*whole.arena);
        const Index n = std::min(tile, begin + length - at);
        const Piece piece =
            descent ? descend(*descent, at, n, *whole.arena) : advanceTile(whole, io, coupling, at, n);
        if (!isDead(io)) result.include(piece);
    }
    return result;
}

// The entries from `at` on, part by part, as if they were a block.
template <class T>
Piece BlockPieces<T>::advanceTile(const Context<T>& whole, const BlockIo& io, const Coupling& coupling,
                                  Index at, Index n) const {
    Context<T> c = whole;
    c.shape = {1, n};
    c.weights += at;
    c.isPiece = true;
    c.from = at;
    const BlockStages<T> stages(parts_, state_);
    const T* g = stages.transform(c, static_cast<const T*>(io.gradient) + at);
    const T* m = stages.precondition(c, g, stages.estimate(c, g, io.estimate));
    T* d = stages.take(c, n);
    const OracleResult oracle = parts_.geometry->ball({c.slots, c.arena, false, true}, c.shape, m, d);
    T* target = static_cast<T*>(io.target) + at;
    if (target != c.weights) std::copy(c.weights, c.weights + n, target);
    const double factor = io.lr * parts_.scaling->factor(c.slots, oracle, coupling);
    const Moved moved = parts_.update->apply(stages.own(c, Pipeline::ofUpdate), factor,
                                             oracle.inputIsDirection ? m : d, target);
    return {euclidean() ? oracle.dualNorm.squared() : oracle.dualNorm, oracle.frobenius * oracle.frobenius,
            moved.times, oracle.backend};
}

// Under the rule of a divisible block the direction is minus the estimate (regularization, r = 2) or minus
// its signs (ball, r = inf).
template <class T>
std::optional<kernels::Descent<T>> BlockPieces<T>::descentOf(const Context<T>& whole, const BlockIo& io,
                                                             const Coupling& coupling) const {
    const bool signs = !euclidean();
    if (parts_.transforms.size() > 1 || (signs && parts_.preconditioner)) return {};
    const std::span<const double> slots = whole.slots;
    const auto decay = parts_.transforms.empty() ? 0.0 : parts_.transforms[0]->decay(slots);
    const auto momentum = parts_.estimator->linear(slots, whole.count);
    const auto metric = parts_.preconditioner ? parts_.preconditioner->metric(slots, whole.count)
                                              : std::optional(kernels::Metric{});
    const auto keep = parts_.update->keep(slots, io.lr);
    if (!decay || !momentum || !metric || !keep) return {};
    OracleResult unit;
    unit.ballScale = unit.regularizedScale = -1.0;
    return kernels::Descent<T>{
        .decay = *decay,
        .momentum = *momentum,
        .metric = *metric,
        .direction = signs ? kernels::Direction::signs : kernels::Direction::estimate,
        .keep = *keep,
        .factor = isDead(io) ? 0.0 : io.lr * parts_.scaling->factor(slots, unit, coupling),
        .g = static_cast<const T*>(io.gradient),
        .w = whole.weights,
        .m = state_.array(Pipeline::ofEstimator, 0),
        .v = state_.array(Pipeline::ofPreconditioner, 0),
        .u = state_.array(Pipeline::ofPreconditioner, 1),
        .target = static_cast<T*>(io.target),
    };
}

template <class T>
Piece BlockPieces<T>::descend(kernels::Descent<T> d, Index at, Index n, Arena& arena) const {
    for (T** array : {&d.m, &d.v, &d.u, &d.target})
        if (*array != nullptr) *array += at;
    d.g += at;
    d.w += at;
    // Neither squares of float nor sums of magnitudes of float can leave the range of double.
    constexpr bool narrow = sizeof(T) < sizeof(double);
    if (!narrow) d.estimate = arena.take<T>(static_cast<std::size_t>(n));
    const kernels::DescentSums sums = kernels::descend(n, d);
    const bool signs = d.direction == kernels::Direction::signs;
    Scaled power{sums.power, 0};
    if (!narrow && !(sums.power > 1e-250 && sums.power < 1e250))
        power = signs ? sumNorm(n, d.estimate, kernels::maxAbs(n, d.estimate))
                      : frobeniusNorm(n, d.estimate).squared();
    const Backend backend = signs ? Backend::entrywise : Backend::frobenius;
    return {power, sums.squares, 1.0, power.isZero() ? Backend::none : backend};
}

template <class T>
typename BlockPieces<T>::Total BlockPieces<T>::gather(const BlockIo& io, std::span<const double> slots,
                                                      const Coupling& coupling,
                                                      std::span<const Piece> pieces) const {
    Piece total;
    for (const Piece& piece : pieces) total.include(piece);
    // r = 2 goes with the regularization rule, where the step is as long as the dual norm; r = inf with the
    // ball rule.
    OracleResult whole;
    whole.dualNorm = euclidean() ? total.power.root() : total.power;
    whole.regularizedScale = whole.dualNorm.full();
    const double length = io.lr * parts_.scaling->factor(slots, whole, coupling);
    const double size = std::sqrt(euclidean() ? 1.0 : total.squares) * total.times;
    return {whole.dualNorm, length, std::abs(length) * size, total.backend};
}

template class BlockPieces<float>;
template class BlockPieces<double>;

}  // namespace schattor
