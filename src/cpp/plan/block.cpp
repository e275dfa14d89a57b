#include "plan/block.h"

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "plan/part_state.h"

namespace schattor {
namespace {

template <class T>
class BlockOf final : public Block {
public:
    explicit BlockOf(T* weights) : weights_(weights) {}

    void declare() {
        states_.resize(2 + pipeline.transforms.size());
        for (std::size_t i = 0; i < pipeline.transforms.size(); ++i)
            states_[2 + i].declare(*pipeline.transforms[i], shape);
        states_[0].declare(*pipeline.estimator, shape);
        if (pipeline.preconditioner) states_[1].declare(*pipeline.preconditioner, shape);
        pipeline.geometry->check(shape);
    }

    const void* weights() const override { return weights_; }

    std::vector<State> state() override {
        std::vector<State> result;
        for (auto& part : states_)
            for (std::size_t i = 0; i < part.slots.size(); ++i)
                result.push_back({part.slots[i].name, part.slots[i].shape, part.pointers[i]});
        return result;
    }

    void holdDirection() override { heldDirection_.assign(static_cast<std::size_t>(shape.size()), T(0)); }

    // The direction and one array for each stage that may write elsewhere than in place.
    std::size_t scratch() const override {
        std::size_t inner = pipeline.geometry->scratch(shape, dtype);
        inner = std::max(inner, pipeline.estimator->scratch(shape, dtype));
        if (pipeline.preconditioner) inner = std::max(inner, pipeline.preconditioner->scratch(shape, dtype));
        for (const auto& transform : pipeline.transforms)
            inner = std::max(inner, transform->scratch(shape, dtype));
        return 4 * Arena::bytesFor<T>(static_cast<std::size_t>(shape.size())) + inner;
    }

    Magnitudes check(const BlockIo& io, std::span<const double> slots) const override {
        const T* g = static_cast<const T*>(io.gradient);
        const double gradient = kernels::maxAbs(shape.size(), g);
        if (!std::isfinite(gradient))
            return refuse(Refusal::Kind::gradientNotFinite, kernels::countNonFinite(shape.size(), g));
        double weights = 0.0;
        if (pipeline.readsWeights()) {
            weights = kernels::maxAbs(shape.size(), weights_);
            if (!std::isfinite(weights))
                return refuse(Refusal::Kind::weightsNotFinite,
                              kernels::countNonFinite(shape.size(), weights_));
        }
        double largest = gradient;
        for (const auto& transform : pipeline.transforms)
            largest = transform->magnitude(slots, largest, weights);
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

    const Scaled& direct(const BlockIo& io, std::span<const double> slots, std::int64_t step,
                         Arena& arena) override {
        held_ = io.estimate;
        const auto n = static_cast<std::size_t>(shape.size());
        const bool fused = heldDirection_.empty();
        T* direction = fused ? arena.take<T>(n) : heldDirection_.data();
        context_ = {shape, step, count, io.lr, weights_, slots, {}, &arena};
        const T* g = static_cast<const T*>(io.gradient);
        T* work = pipeline.transforms.empty() ? nullptr : arena.take<T>(n);
        for (std::size_t i = 0; i < pipeline.transforms.size(); ++i)
            g = pipeline.transforms[i]->apply(contextOf(2 + i), g, work);
        const T* m = pipeline.estimator->estimate(contextOf(0), g, arena.take<T>(n));
        if (pipeline.preconditioner) {
            T* mapped = arena.take<T>(n);
            pipeline.preconditioner->observe(contextOf(1), g, m);
            pipeline.preconditioner->apply(contextOf(1), m, mapped);
            m = mapped;
        }
        oracle_ = pipeline.geometry->ball({slots, &arena, false, fused}, shape, m, direction);
        direction_ = oracle_.inputIsDirection ? m : direction;
        return oracle_.dualNorm;
    }

    void move(const BlockIo& io, const Coupling& coupling) override {
        const double factor = io.lr * pipeline.scaling->factor(context_.slots, oracle_, coupling);
        T* target = static_cast<T*>(io.target);
        if (target != weights_) std::copy(weights_, weights_ + shape.size(), target);
        pipeline.update->apply(context_, factor, direction_, target);
        ++count;
        const double unit = oracle_.ballScale != 0.0 ? factor / oracle_.ballScale : 0.0;
        const double rms = std::abs(factor) * oracle_.frobenius /
                           std::sqrt(static_cast<double>(std::max<Index>(1, shape.size())));
        report = {true,
                  oracle_.dualNorm.in(dtype),
                  unit,
                  rms,
                  oracle_.residual,
                  oracle_.backend,
                  oracle_.fallbacks};
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
        for (const auto& array : states_[0].arrays)
            held_ = std::max(held_, kernels::maxAbs(static_cast<Index>(array.size()), array.data()));
    }

    void subtractWeights(const BlockIo& io) const override {
        T* target = static_cast<T*>(io.target);
        kernels::combine(shape.size(), 1.0, target, -1.0, weights_, target);
    }

private:
    static Magnitudes refuse(Refusal::Kind kind, Index count) {
        Magnitudes result;
        result.refusal = {kind, 0, count, 0.0, 0.0};
        return result;
    }

    /// The context as the part with this state sees it.
    Context<T> contextOf(std::size_t part) const {
        Context<T> result = context_;
        result.state = states_[part].pointers;
        return result;
    }

    T* weights_;
    std::vector<PartState<T>> states_;  ///< estimator, preconditioner, transforms
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
