#include "plan/block.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/kernels.h"
#include "linalg/norms.h"
#include "plan/part_state.h"

namespace schattor {
namespace {

/// Entries of a piece: its arrays stay in the first-level cache from the first part to the last.
constexpr Index tile = 2048;

template <class T>
class BlockOf final : public Block {
public:
    explicit BlockOf(T* weights) : weights_(weights) {}

    void declare() {
        states_.resize(ofTransforms + pipeline.transforms.size());
        for (std::size_t i = 0; i < pipeline.transforms.size(); ++i)
            states_[ofTransforms + i].declare(*pipeline.transforms[i], shape);
        states_[ofEstimator].declare(*pipeline.estimator, shape);
        if (pipeline.preconditioner) states_[ofPreconditioner].declare(*pipeline.preconditioner, shape);
        if (pipeline.output) states_[ofOutput].declare(*pipeline.output, shape);
        states_[ofUpdate].declare(*pipeline.update, shape);
        pipeline.geometry->check(shape);
    }

    const void* weights() const override { return weights_; }

    std::vector<State> state() override {
        std::vector<State> result;
        for (auto& part : states_)
            for (std::size_t i = 0; i < part.slots.size(); ++i)
                result.push_back({(&part == &states_[ofOutput] ? "output_" : "") + part.slots[i].name,
                                  part.slots[i].shape, part.pointers[i]});
        return result;
    }

    void holdDirection() override { heldDirection_.assign(static_cast<std::size_t>(shape.size()), T(0)); }

    // The direction and one array for each stage that may write elsewhere than in place.
    std::size_t scratch(bool divided) const override {
        const Shape s = divided ? Shape{1, std::min(shape.size(), tile)} : shape;
        std::size_t inner = pipeline.geometry->scratch(s, dtype);
        inner = std::max(inner, pipeline.estimator->scratch(s, dtype));
        if (pipeline.preconditioner) inner = std::max(inner, pipeline.preconditioner->scratch(s, dtype));
        for (const auto& transform : pipeline.transforms)
            inner = std::max(inner, transform->scratch(s, dtype));
        std::size_t pointers = 0;
        if (divided)
            for (const auto& part : states_) pointers += 2 * Arena::bytesFor<T*>(part.pointers.size());
        return 4 * Arena::bytesFor<T>(static_cast<std::size_t>(s.size())) + inner + pointers;
    }

    Maxima scan(const BlockIo& io, Index begin, Index length) const override {
        const auto largest = [&](const T* x) {
            const double found = kernels::maxAbs(length, x + begin);
            return std::isfinite(found) ? found : std::numeric_limits<double>::infinity();
        };
        return {largest(static_cast<const T*>(io.gradient)),
                pipeline.readsWeights() ? largest(weights_) : 0.0};
    }

    Magnitudes check(const BlockIo& io, const Maxima& maxima, std::span<const double> slots) const override {
        if (!std::isfinite(maxima.gradient))
            return refuse(Refusal::Kind::gradientNotFinite, static_cast<const T*>(io.gradient));
        if (!std::isfinite(maxima.weights)) return refuse(Refusal::Kind::weightsNotFinite, weights_);
        double largest = maxima.gradient;
        for (const auto& transform : pipeline.transforms)
            largest = transform->magnitude(slots, largest, maxima.weights);
        const double gain = pipeline.estimator->gain(slots);
        double limit = largestFinite(dtype) / gain;
        if (pipeline.preconditioner)
            limit = std::min(limit, pipeline.preconditioner->largestMagnitude(dtype));
        Magnitudes result;
        if (!(largest <= limit)) result.refusal = {Refusal::Kind::gradientTooLarge, 0, 0, largest, limit};
        const double b = pipeline.estimator->retention(slots);
        result.estimate = std::max(largest * gain, b * held_ + (1.0 - b) * largest * gain);
        // A preconditioner brings the estimate to its own scale.
        if (pipeline.scaling->rule() == Rule::regularization && !pipeline.preconditioner)
            result.norm = result.estimate / largestFinite(dtype) * pipeline.geometry->dualNormBound(shape);
        return result;
    }

    const Scaled& direct(const BlockIo& io, const StepContext& step, Arena& arena) override {
        held_ = io.estimate;
        const bool fused = heldDirection_.empty();
        T* direction = fused ? arena.take<T>(static_cast<std::size_t>(shape.size())) : heldDirection_.data();
        context_ = {shape, step.step, count, io.lr, weights_, step.slots, {}, &arena};
        const auto own = [&](std::size_t part) { return contextOf(part); };
        const T* m = estimate(context_, static_cast<const T*>(io.gradient), own);
        oracle_ = pipeline.geometry->ball({step.slots, &arena, false, fused, step.team}, shape, m, direction);
        direction_ = oracle_.inputIsDirection ? m : direction;
        return oracle_.dualNorm;
    }

    void move(const BlockIo& io, const Coupling& coupling) override {
        const double length = pipeline.scaling->factor(context_.slots, oracle_, coupling);
        T* target = static_cast<T*>(io.target);
        if (target != weights_) std::copy(weights_, weights_ + shape.size(), target);
        const T* d = direction_;
        double factor = io.lr * length, size = oracle_.frobenius;
        if (pipeline.output) {
            d = accumulate(length);
            factor = io.lr;
            size = std::sqrt(kernels::sumOfSquares(shape.size(), d));
        }
        pipeline.update->apply(contextOf(ofUpdate), factor, d, target);
        ++count;
        const double unit = oracle_.ballScale != 0.0 ? io.lr * length / oracle_.ballScale : 0.0;
        const double rms = std::abs(factor) * size / std::sqrt(entries());
        report = {true,
                  oracle_.dualNorm.in(dtype),
                  unit,
                  rms,
                  oracle_.residual,
                  oracle_.backend,
                  oracle_.fallbacks};
    }

    Piece advance(const BlockIo& io, const StepContext& step, const Coupling& coupling, Index begin,
                  Index length, Arena& arena) const override {
        Piece result;
        const std::optional<kernels::Descent<T>> descent = descentOf(io, step, coupling);
        for (Index at = begin; at < begin + length; at += tile) {
            const ArenaFrame frame(arena);
            const Index n = std::min(tile, begin + length - at);
            result.include(descent ? descend(*descent, at, n, arena)
                                   : advanceTile(io, step, coupling, at, n, arena));
        }
        return result;
    }

    void gather(const BlockIo& io, const StepContext& step, const Coupling& coupling,
                std::span<const Piece> pieces) override {
        held_ = io.estimate;
        Piece total;
        for (const Piece& piece : pieces) total.include(piece);
        // r = 2 goes with the regularization rule, where the step is as long as the dual norm; r = inf with
        // the ball rule.
        const bool euclidean = pipeline.scaling->rule() == Rule::regularization;
        OracleResult whole;
        whole.dualNorm = euclidean ? total.power.root() : total.power;
        whole.regularizedScale = whole.dualNorm.full();
        const double length = io.lr * pipeline.scaling->factor(step.slots, whole, coupling);
        const double rms = std::abs(length) * std::sqrt((euclidean ? 1.0 : total.squares) / entries());
        report = {true, whole.dualNorm.in(dtype), length, rms, 0.0, total.backend, 0};
        ++count;
    }

    void saveState() override {
        saved_.clear();
        for (const auto& part : states_) saved_.push_back(part.arrays);
        savedCount_ = count;
        savedHeld_ = held_;
        savedReport_ = report;
    }

    void restoreState() override {
        for (std::size_t i = 0; i < states_.size(); ++i)
            for (std::size_t j = 0; j < saved_[i].size(); ++j)
                std::copy(saved_[i][j].begin(), saved_[i][j].end(), states_[i].pointers[j]);
        saved_.clear();
        count = savedCount_;
        held_ = savedHeld_;
        report = savedReport_;
    }

    void stateWritten() override {
        held_ = 0.0;
        for (const auto& array : states_[ofEstimator].arrays)
            held_ = std::max(held_, kernels::maxAbs(static_cast<Index>(array.size()), array.data()));
    }

    void subtractWeights(const BlockIo& io, Index begin, Index length) const override {
        T* target = static_cast<T*>(io.target) + begin;
        kernels::combine(length, 1.0, target, -1.0, weights_ + begin, target);
    }

private:
    /// The output momentum takes the direction at its length, lr aside. In place, as nothing is left of the
    /// arena here: only an estimator whose state is the estimate can stand in this slot.
    const T* accumulate(double length) {
        const kernels::Momentum x = *pipeline.output->linear(context_.slots, count);
        T* momentum = states_[ofOutput].pointers[0];
        kernels::combine(shape.size(), x.a, momentum, x.b * length, direction_, momentum);
        return momentum;
    }

    Magnitudes refuse(Refusal::Kind kind, const T* x) const {
        Magnitudes result;
        result.refusal = {kind, 0, kernels::countNonFinite(shape.size(), x), 0.0, 0.0};
        return result;
    }

    double entries() const { return static_cast<double>(std::max<Index>(1, shape.size())); }

    /// The context as the part with this state sees it.
    Context<T> contextOf(std::size_t part) const {
        Context<T> result = context_;
        result.state = states_[part].pointers;
        return result;
    }

    /// From the gradient to what the oracle sees. `own(part)` is the context as that part sees it.
    template <class Own>
    const T* estimate(const Context<T>& c, const T* g, Own own) const {
        const auto n = static_cast<std::size_t>(c.size());
        T* work = pipeline.transforms.empty() ? nullptr : c.arena->template take<T>(n);
        for (std::size_t i = 0; i < pipeline.transforms.size(); ++i)
            g = pipeline.transforms[i]->apply(own(ofTransforms + i), g, work);
        const T* m = pipeline.estimator->estimate(own(ofEstimator), g, c.arena->template take<T>(n));
        if (!pipeline.preconditioner) return m;
        T* mapped = c.arena->template take<T>(n);
        pipeline.preconditioner->observe(own(ofPreconditioner), g, m);
        pipeline.preconditioner->apply(own(ofPreconditioner), m, mapped);
        return mapped;
    }

    /// The step of n entries from `at` on, part by part, as if they were a block.
    Piece advanceTile(const BlockIo& io, const StepContext& step, const Coupling& coupling, Index at, Index n,
                      Arena& arena) const {
        const Context<T> c{{1, n}, step.step, count, io.lr, weights_ + at, step.slots, {}, &arena};
        const auto own = [&](std::size_t part) {
            const std::vector<T*>& arrays = states_[part].pointers;
            T** shifted = arena.take<T*>(arrays.size());
            for (std::size_t i = 0; i < arrays.size(); ++i) shifted[i] = arrays[i] + at;
            Context<T> result = c;
            result.state = {shifted, arrays.size()};
            return result;
        };
        const T* m = estimate(c, static_cast<const T*>(io.gradient) + at, own);
        T* d = arena.take<T>(static_cast<std::size_t>(n));
        const OracleResult oracle = pipeline.geometry->ball({step.slots, &arena, false, true}, c.shape, m, d);
        T* target = static_cast<T*>(io.target) + at;
        if (target != c.weights) std::copy(c.weights, c.weights + n, target);
        pipeline.update->apply(own(ofUpdate), io.lr * pipeline.scaling->factor(step.slots, oracle, coupling),
                               oracle.inputIsDirection ? m : d, target);
        const bool euclidean = pipeline.scaling->rule() == Rule::regularization;
        return {euclidean ? oracle.dualNorm.squared() : oracle.dualNorm, oracle.frobenius * oracle.frobenius,
                oracle.backend};
    }

    /// The step as one loop, where every part has that form and the direction is minus the estimate.
    std::optional<kernels::Descent<T>> descentOf(const BlockIo& io, const StepContext& step,
                                                 const Coupling& coupling) const {
        if (pipeline.scaling->rule() != Rule::regularization || pipeline.transforms.size() > 1) return {};
        const auto array = [&](std::size_t part) {
            return states_[part].pointers.empty() ? nullptr : states_[part].pointers[0];
        };
        kernels::Descent<T> result;
        const auto decay = pipeline.transforms.empty() ? 0.0 : pipeline.transforms[0]->decay(step.slots);
        const auto momentum = pipeline.estimator->linear(step.slots, count);
        const auto root = pipeline.preconditioner ? pipeline.preconditioner->root(step.slots, count)
                                                  : std::optional(kernels::Root{});
        const auto keep = pipeline.update->keep(step.slots, io.lr);
        if (!decay || !momentum || !root || !keep) return {};
        OracleResult unit;
        unit.regularizedScale = -1.0;
        const double factor = io.lr * pipeline.scaling->factor(step.slots, unit, coupling);
        return kernels::Descent<T>{*decay,
                                   *momentum,
                                   *root,
                                   *keep,
                                   factor,
                                   static_cast<const T*>(io.gradient),
                                   weights_,
                                   array(ofEstimator),
                                   array(ofPreconditioner),
                                   static_cast<T*>(io.target),
                                   nullptr};
    }

    /// The same for n entries from `at` on.
    Piece descend(kernels::Descent<T> d, Index at, Index n, Arena& arena) const {
        for (T** array : {&d.m, &d.v, &d.target})
            if (*array != nullptr) *array += at;
        d.g += at;
        d.w += at;
        // Squares of float cannot leave the range of double.
        constexpr bool narrow = sizeof(T) < sizeof(double);
        if (!narrow) d.estimate = arena.take<T>(static_cast<std::size_t>(n));
        const double squares = kernels::descend(n, d);
        Scaled power{squares, 0};
        if (!narrow && !(squares > 1e-250 && squares < 1e250))
            power = frobeniusNorm(n, d.estimate, kernels::maxAbs(n, d.estimate)).squared();
        return {power, 0.0, power.isZero() ? Backend::none : Backend::frobenius};
    }

    T* weights_;
    /// Where a part's state is in states_.
    enum : std::size_t { ofEstimator, ofPreconditioner, ofOutput, ofUpdate, ofTransforms };
    std::vector<PartState<T>> states_;
    std::vector<T> heldDirection_;
    const T* direction_ = nullptr;
    double held_ = 0.0;  ///< bound of the entries of the estimate so far
    Context<T> context_;
    OracleResult oracle_;

    std::vector<std::vector<std::vector<T>>> saved_;
    std::int64_t savedCount_ = 0;
    double savedHeld_ = 0.0;
    BlockReport savedReport_;
};

template <class T>
std::unique_ptr<Block> make(std::string name, Shape shape, void* weights, Pipeline pipeline) {
    auto block = std::make_unique<BlockOf<T>>(static_cast<T*>(weights));
    block->name = std::move(name);
    block->shape = shape;
    block->dtype = dtypeOf<T>;
    block->pipeline = std::move(pipeline);
    block->declare();
    return block;
}

}  // namespace

std::unique_ptr<Block> makeBlock(std::string name, Shape shape, Dtype dtype, void* weights,
                                 Pipeline pipeline) {
    return dtype == Dtype::float32 ? make<float>(std::move(name), shape, weights, std::move(pipeline))
                                   : make<double>(std::move(name), shape, weights, std::move(pipeline));
}

}  // namespace schattor
