#include "plan/block.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>

#include "base/kernels.h"
#include "linalg/norms.h"
#include "plan/block_pieces.h"
#include "plan/block_stages.h"

namespace schattor {
namespace {

/// What the first half of a step hands to the second.
template <class T>
struct Directed {
    const T* direction = nullptr;
    OracleResult oracle;    ///< of what stands there
    bool withheld = false;  ///< the frame has only seen the gradient: nothing moves
    double decrease = 0.0;  ///< what the scaling says of this step
};

template <class T>
class BlockOf final : public Block {
public:
    BlockOf(std::string itsName, Shape itsShape, T* weights, Pipeline itsPipeline)
        : Block(std::move(itsName), itsShape, dtypeOf<T>, std::move(itsPipeline)),
          weights_(weights),
          state_(pipeline, shape),
          checks_(pipeline, shape),
          stages_(pipeline, state_),
          pieces_(pipeline, state_),
          inner_(pipeline.inner(shape)),
          sharing_(pipeline.sharing()) {
        for (const char c : name) salt_ = (salt_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    }

    const void* weights() const override { return at_; }
    void standAt(const void* point) override {
        at_ = point == nullptr ? weights_ : static_cast<const T*>(point);
    }

    std::vector<State> state() override {
        std::vector<State> result;
        for (const auto& entry : state_.entries())
            result.push_back({entry.name, entry.shape, entry.data, entry.isScalar});
        if (takesTurns) result.push_back({"turn", {1, 1}, &turn_, true});
        return result;
    }

    void holdDirection() override { room_.assign(static_cast<std::size_t>(shape.size()), T(0)); }

    Maxima scan(const BlockIo& io, Index begin, Index length) const override {
        return checks_.scan(static_cast<const T*>(io.gradient), at_, begin, length);
    }

    Magnitudes check(const BlockIo& io, const Maxima& maxima, std::span<const double> slots) override {
        Context<T> c;
        c.shape = shape;
        c.count = count;
        c.weights = at_;
        c.slots = slots;
        return checks_.check(io, maxima, stages_.own(c, Pipeline::ofUpdate), state_, bound_);
    }

    Refusal checkWeights() const override {
        if (std::isfinite(kernels::maxAbs(shape.size(), at_))) return {};
        return checks_.refuse(Refusal::Kind::weightsNotFinite, shape.size(), at_);
    }

    void measure(const BlockIo& io, const StepContext& step, Arena& arena, double* sums) override {
        const Context<T> c = contextFor(io, step, arena);
        const T* g = stages_.transform(c, static_cast<const T*>(io.gradient));
        sharing_->measure(stages_.own(c, *pipeline.sharingSlot()), g, sums);
    }

    void share(const BlockIo& io, const StepContext& step, std::span<const double> sums) override {
        sharing_->share(step.slots, sums, io.lr, shared());
    }

    std::span<double> shared() override { return state_[*pipeline.sharingSlot()].scalars; }

    double pace() const override {
        return sharing_ == nullptr ? 1.0 : sharing_->pace(state_[*pipeline.sharingSlot()].scalars, count);
    }

    void beginTurn(double turn) override {
        if (turn == turn_) return;
        state_.reset();
        turn_ = turn;
        count = 0;
        bound_ = 0.0;
    }

    void advance(const BlockIo& io, const StepContext& step, const Coupling& coupling,
                 Arena& arena) override {
        const Context<T> c = pacedContextFor(io, step, arena);
        follow(c, find(c, io, step.team, stages_.take(c, shape.size()), true), io, coupling);
    }

    Scaled direct(const BlockIo& io, const StepContext& step, Arena& arena) override {
        held_ = find(pacedContextFor(io, step, arena), io, step.team, room_.data(), false);
        return held_->oracle.dualNorm;
    }

    double decrease() const override { return held_ ? held_->decrease : 0.0; }

    void move(const BlockIo& io, const StepContext& step, const Coupling& coupling, Arena& arena) override {
        follow(pacedContextFor(io, step, arena), held_.value(), io, coupling);
        held_.reset();
    }

    Piece advancePiece(const BlockIo& io, const StepContext& step, const Coupling& coupling, Index begin,
                       Index length, Arena& arena) const override {
        return pieces_.advance(contextFor(io, step, arena), io, coupling, begin, length);
    }

    void gather(const BlockIo& io, const StepContext& step, const Coupling& coupling,
                std::span<const Piece> pieces) override {
        bound_ = io.estimate;
        const auto total = pieces_.gather(io, step.slots, coupling, pieces);
        report = {true, total.dualNorm.in(dtype), total.length, rms(total.moved), 0.0, total.backend, 0};
        ++count;
    }

    void saveState(bool withWeights) override {
        state_.save();
        saved_ = {{weights_, weights_ + (withWeights ? shape.size() : 0)}, count, turn_, bound_, report};
    }

    void restoreState() override {
        state_.restore();
        std::copy(saved_.weights.begin(), saved_.weights.end(), weights_);
        count = saved_.count;
        turn_ = saved_.turn;
        bound_ = saved_.bound;
        report = saved_.report;
        saved_ = {};
    }

    Index countNonFinite(const BlockIo& io) const override {
        return kernels::countNonFinite(shape.size(), static_cast<const T*>(io.target)) +
               state_.countNonFinite();
    }

    void stateWritten() override { bound_ = state_.largest(Pipeline::ofEstimator); }

    void subtractWeights(const BlockIo& io, Index begin, Index length) const override {
        T* target = static_cast<T*>(io.target) + begin;
        kernels::combine(length, 1.0, target, -1.0, at_ + begin, target);
    }

private:
    Context<T> contextFor(const BlockIo& io, const StepContext& step, Arena& arena) const {
        Context<T> c{shape, step.step, count, io.lr, at_, step.slots, &arena};
        const auto samples = [](const Samples<void>& x) {
            return Samples<T>{static_cast<const T*>(x.data), x.count};
        };
        c.extras = {static_cast<const T*>(io.extras.previous), samples(io.extras.activations),
                    samples(io.extras.deltas), samples(io.extras.perExample)};
        c.salt = salt_;
        if (guarded)  // decay and rounding may still add to it
            c.limit = 0.25 * std::min(checks_.limit(step.slots), checks_.limitOfUpdate(step.slots, state_));
        if (partner != nullptr) {
            c.partner = static_cast<const T*>(partner->weights());
            c.partnerShape = partner->shape;
        }
        return c;
    }

    Context<T> pacedContextFor(const BlockIo& io, const StepContext& step, Arena& arena) const {
        Context<T> c = contextFor(io, step, arena);
        c.lr *= pace();
        return c;
    }

    /// The step as far as the direction, which comes to `room` unless it stands in what the oracle has seen;
    /// that is allowed where `inputStays`.
    Directed<T> find(const Context<T>& c, const BlockIo& io, const Team* team, T* room, bool inputStays) {
        const T* g = stages_.transform(c, static_cast<const T*>(io.gradient));
        Directed<T> result;
        result.withheld = pipeline.frame && pipeline.frame->withholds(state_[Pipeline::ofFrame].scalars);
        if (!result.withheld) g = pullBack(c, g);
        if (pipeline.frame) pipeline.frame->observe(stages_.own(c, Pipeline::ofFrame), g);
        if (result.withheld) return result;
        bound_ = io.estimate;
        const T* m = stages_.estimate(c, g, bound_);
        if (pipeline.frame) {
            result.oracle = findInside(c, team, g, m, room);
            result.direction = room;
        } else {
            m = stages_.precondition(c, g, m);
            result.oracle =
                pipeline.geometry->ball({c.slots, c.arena, false, inputStays, team}, shape, m, room);
            result.direction = result.oracle.inputIsDirection ? m : room;
        }
        result.decrease = pipeline.scaling->decrease(stages_.own(c, Pipeline::ofScaling), result.oracle, m);
        if (!pipeline.adjustments.empty()) adjust(c, result, room);
        return result;
    }

    /// Preconditioner and oracle in the coordinates of the frame.
    OracleResult findInside(const Context<T>& c, const Team* team, const T* g, const T* m, T* direction) {
        Context<T> outside = stages_.own(c, Pipeline::ofFrame);
        outside.held = stages_.take(c, pipeline.frame->held(shape));
        const Index n = inner_.size();
        T *x = stages_.take(c, n), *d = stages_.take(c, n), *seen = nullptr;
        if (pipeline.preconditioner) {
            seen = stages_.take(c, n);
            pipeline.frame->enter(outside, g, seen);
        }
        pipeline.frame->enter(outside, m, x);
        Context<T> inside = c;  // what it hides, nothing in it reads
        inside.weights = nullptr;
        inside.extras = {};
        const T* mapped = stages_.precondition(inside, seen, x);
        OracleResult oracle =
            pipeline.geometry->ball({c.slots, c.arena, false, true, team}, inner_, mapped, d);
        const T* found = oracle.inputIsDirection ? mapped : d;
        kernels::scale(n, takeScale(oracle), found, d);
        pipeline.frame->leave(outside, d, direction);
        pipeline.frame->conclude(outside, g);
        oracle.frobenius = frobeniusNorm(shape.size(), direction).full();
        return oracle;
    }

    /// The gradient by what the update moves.
    const T* pullBack(const Context<T>& c, const T* g) {
        if (!pipeline.update->pullsBack()) return g;
        return pipeline.update->pullBack(stages_.own(c, Pipeline::ofUpdate), g,
                                         stages_.take(c, shape.size()));
    }

    /// The factor that gives what the oracle wrote its length by the rule, lr aside. The oracle's result
    /// becomes that of the direction multiplied by it.
    double takeScale(OracleResult& oracle) const {
        const bool ball = pipeline.scaling->rule() == Rule::ball;
        const double scale = ball ? oracle.ballScale : oracle.regularizedScale;
        oracle.frobenius *= std::abs(scale);
        oracle.ballScale = oracle.regularizedScale = oracle.dualNorm.isZero() ? 0.0 : 1.0;
        oracle.inputIsDirection = false;
        return scale;
    }

    /// The adjustments one after the other. d is `factor` times what stands at the direction, until a part
    /// writes it.
    void adjust(const Context<T>& c, Directed<T>& found, T* room) {
        OracleResult& oracle = found.oracle;
        double factor = takeScale(oracle), size = oracle.frobenius;
        for (std::size_t i = 0; i < pipeline.adjustments.size(); ++i) {
            const Adjustment& adjustment = *pipeline.adjustments[i];
            const Context<T> own = stages_.own(c, pipeline.ofAdjustments() + i);
            if (adjustment.rescales() && inMiddle(size)) {
                const std::optional<Scaled> length = adjustment.length(own, oracle);
                const double wanted = length ? length->full() : size;
                if (inMiddle(wanted) && inMiddle(factor * wanted / size)) {
                    factor *= wanted / size;
                    size = wanted;
                    continue;
                }
            }
            kernels::scale(shape.size(), factor, found.direction, room);
            found.direction = room;
            factor = 1.0;
            adjustment.apply(own, oracle, room);
            size = frobeniusNorm(shape.size(), room).full();
        }
        oracle.frobenius = factor != 0.0 ? size / std::abs(factor) : 0.0;
        // An adjustment may lead on where the oracle has nothing to say.
        oracle.ballScale = oracle.regularizedScale = size > 0.0 ? factor : 0.0;
    }

    /// Whether a factor of this size can multiply entries of either dtype without leaving the range.
    static bool inMiddle(double x) { return std::abs(x) > 0x1p-60 && std::abs(x) < 0x1p60; }

    /// The step from the direction on.
    void follow(Context<T> c, const Directed<T>& found, const BlockIo& io, Coupling coupling) {
        T* target = static_cast<T*>(io.target);
        if (target != at_) std::copy(at_, at_ + shape.size(), target);
        report = {};
        report.present = true;
        if (found.withheld) return;
        const OracleResult& oracle = found.oracle;
        coupling.decrease = found.decrease;
        c.lr *= pipeline.scaling->pace(c.slots, c.lr, coupling);
        const double length =
            pipeline.scaling->factorOf(stages_.own(c, Pipeline::ofScaling), oracle, coupling);
        const T* d = found.direction;
        double factor = c.lr * length, size = oracle.frobenius;
        if (pipeline.output) {
            d = accumulate(c, pipeline.outputTakesLr ? factor : length, d);
            factor = pipeline.outputTakesLr ? 1.0 : c.lr;
            size = frobeniusNorm(shape.size(), d).full();
        }
        const Moved moved = pipeline.update->apply(stages_.own(c, Pipeline::ofUpdate), factor, d, target);
        ++count;
        report.dualNorm = oracle.dualNorm.in(dtype);
        report.stepSize = oracle.ballScale != 0.0 ? moved.times * c.lr * length / oracle.ballScale : 0.0;
        report.updateRms = rms(moved.norm ? *moved.norm : moved.times * std::abs(factor) * size);
        report.residual = oracle.residual;
        report.backend = oracle.backend;
        report.fallbacks = oracle.fallbacks;
    }

    /// The output momentum, an estimator of linear form, takes `length` times the direction.
    const T* accumulate(const Context<T>& c, double length, const T* d) {
        const kernels::Momentum x = *pipeline.output->linear(c.slots, count);
        T* momentum = state_.array(Pipeline::ofOutput, 0);
        if (momentum != nullptr && x.c == 0.0 && x.d == 1.0 && x.e == 0.0) {
            kernels::combine(shape.size(), x.a, momentum, x.b * length, d, momentum);
            return momentum;
        }
        T* ahead = stages_.take(c, shape.size());
        if (momentum == nullptr)  // none
            kernels::scale(shape.size(), length, d, ahead);
        else
            kernels::momentum(shape.size(), {x.a, x.b * length, x.c * length, x.d, x.e}, d, momentum, ahead);
        return ahead;
    }

    double rms(double norm) const {
        return norm / std::sqrt(static_cast<double>(std::max<Index>(1, shape.size())));
    }

    T* weights_;
    const T* at_ = weights_;  ///< where the step is taken
    BlockState<T> state_;
    BlockChecks<T> checks_;
    BlockStages<T> stages_;
    BlockPieces<T> pieces_;
    Shape inner_;  ///< inside the frame
    const Sharing* sharing_;
    std::uint64_t salt_ = 0xcbf29ce484222325ull;
    double turn_ = -1.0;
    double bound_ = 0.0;  ///< of the entries of the estimate so far

    std::vector<T> room_;  ///< for the direction, where blocks are coupled
    std::optional<Directed<T>> held_;

    struct Saved {
        std::vector<T> weights;
        std::int64_t count = 0;
        double turn = -1.0, bound = 0.0;
        BlockReport report;
    };
    Saved saved_;
};

}  // namespace

std::unique_ptr<Block> makeBlock(std::string name, Shape shape, Dtype dtype, void* weights,
                                 Pipeline pipeline) {
    pipeline.check(shape);
    if (dtype == Dtype::float32)
        return std::make_unique<BlockOf<float>>(std::move(name), shape, static_cast<float*>(weights),
                                                std::move(pipeline));
    return std::make_unique<BlockOf<double>>(std::move(name), shape, static_cast<double*>(weights),
                                             std::move(pipeline));
}

}  // namespace schattor
