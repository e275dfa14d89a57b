#include "plan/block.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>

#include "base/descent.h"
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
        const std::size_t transforms = pipeline.transforms.size();
        inner_ = pipeline.frame ? pipeline.frame->inner(shape) : shape;
        states_.resize(ofTransforms + transforms + pipeline.adjustments.size());
        for (std::size_t i = 0; i < transforms; ++i)
            states_[ofTransforms + i].declare(*pipeline.transforms[i], shape);
        for (std::size_t i = 0; i < pipeline.adjustments.size(); ++i)
            states_[ofTransforms + transforms + i].declare(*pipeline.adjustments[i], shape);
        states_[ofEstimator].declare(*pipeline.estimator, shape);
        if (pipeline.frame) states_[ofFrame].declare(*pipeline.frame, shape);
        if (pipeline.preconditioner) states_[ofPreconditioner].declare(*pipeline.preconditioner, inner_);
        states_[ofScaling].declare(*pipeline.scaling, shape);
        if (pipeline.output) states_[ofOutput].declare(*pipeline.output, shape);
        states_[ofUpdate].declare(*pipeline.update, shape);
        requireUniqueNames();
        pipeline.geometry->check(inner_);
        sharing_ = pipeline.sharing();
        if (sharing_ != nullptr) checkSharing();
        for (const char c : name) salt_ = (salt_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    }

    const void* weights() const override { return weights_; }

    std::vector<State> state() override {
        std::vector<State> result;
        for (auto& part : states_) {
            const std::string prefix = &part == &states_[ofOutput] ? "output_" : "";
            for (std::size_t i = 0; i < part.slots.size(); ++i)
                result.push_back({prefix + part.slots[i].name, part.slots[i].shape, part.pointers[i]});
            for (std::size_t i = 0; i < part.scalars.size(); ++i)
                result.push_back({prefix + part.scalarSlots[i].name, {1, 1}, &part.scalars[i], true});
        }
        if (takesTurns) result.push_back({"turn", {1, 1}, &turn_, true});
        return result;
    }

    void holdDirection() override { heldDirection_.assign(static_cast<std::size_t>(shape.size()), T(0)); }

    // The direction and one array for each stage that may write elsewhere than in place.
    std::size_t scratch(bool divided) const override {
        const Shape s = divided ? Shape{1, std::min(shape.size(), tile)} : shape;
        const auto bytes = [](Index n) { return Arena::bytesFor<T>(static_cast<std::size_t>(n)); };
        std::size_t most = 0, carried = 0;
        pipeline.forEach([&](const Part& part) {
            const bool inside = &part == pipeline.preconditioner.get() || &part == pipeline.geometry.get();
            most = std::max(most, part.scratch(inside && !divided ? inner_ : s, dtype));
        });
        if (divided)
            for (const auto& part : states_) carried += 2 * Arena::bytesFor<T*>(part.pointers.size());
        if (pipeline.frame) carried += bytes(pipeline.frame->held(shape)) + 4 * bytes(inner_.size());
        if (pipeline.output) carried += bytes(s.size());
        if (pipeline.update->pullsBack()) carried += bytes(s.size());
        return 4 * bytes(s.size()) + most + carried;
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
        std::array<double, 4> extras = {};
        if (const Refusal refusal = scanExtras(io, extras)) return {refusal, 0.0, 0.0};
        double largest = std::max({maxima.gradient, extras[0], extras[3]});  // gradients all three
        for (const auto& transform : pipeline.transforms) {
            largest = transform->magnitude(slots, largest, maxima.weights);
            if (!(largest <= largestFinite(dtype)))  // the next one may bound it again
                return {{Refusal::Kind::gradientTooLarge, 0, 0, largest, largestFinite(dtype)}, 0.0, 0.0};
        }
        // The update sees the gradient before it pulls it back, the others afterwards.
        const double most = pipeline.update->largestMagnitude(shape, dtype);
        if (!(largest <= most)) return {{Refusal::Kind::gradientTooLarge, 0, 0, largest, most}, 0.0, 0.0};
        Context<T> own;
        own.shape = shape;
        own.count = count;
        own.state = states_[ofUpdate].pointers;
        largest = pipeline.update->pulledMagnitude(own, largest);
        const double gain = pipeline.estimator->gain(slots), limit = largestMagnitude(slots);
        Magnitudes result;
        if (!(largest <= limit)) result.refusal = {Refusal::Kind::gradientTooLarge, 0, 0, largest, limit};
        for (const std::size_t i : {1, 2})
            if (extras[i] > 0.0 && !(extras[i] <= largestSample()))
                result.refusal = {Refusal::Kind::extraTooLarge, 0, 0, extras[i], largestSample(), i};
        const double b = pipeline.estimator->retention(slots);
        result.estimate = std::max(largest * gain, b * held_ + (1.0 - b) * largest * gain);
        // A preconditioner brings the estimate to its own scale.
        if (pipeline.scaling->growsWithNorm() && !pipeline.preconditioner && !pipeline.frame)
            result.norm = result.estimate / largestFinite(dtype) * pipeline.geometry->dualNormBound(shape);
        return result;
    }

    Refusal checkWeights() const override {
        const bool finite = std::isfinite(kernels::maxAbs(shape.size(), weights_));
        return finite ? Refusal{} : refuse(Refusal::Kind::weightsNotFinite, weights_).refusal;
    }

    void measure(const BlockIo& io, const StepContext& step, Arena& arena, double* sums) override {
        context_ = contextFor(io, step, arena);
        const T* g = transform(context_, static_cast<const T*>(io.gradient), ownContext());
        sharing_->measure(contextOf(ofSharing()), g, sums);
    }

    void share(const BlockIo& io, const StepContext& step, std::span<const double> sums) override {
        sharing_->share(step.slots, sums, io.lr, shared());
    }

    std::span<double> shared() override { return states_[ofSharing()].scalars; }

    double pace() const override {
        return sharing_ == nullptr ? 1.0 : sharing_->pace(states_[ofSharing()].scalars, count);
    }

    void beginTurn(double turn) override {
        if (turn == turn_) return;
        for (auto& part : states_) part.reset();
        turn_ = turn;
        count = 0;
        held_ = 0.0;
    }

    const Scaled& direct(const BlockIo& io, const StepContext& step, Arena& arena) override {
        const bool fused = heldDirection_.empty();
        T* direction = fused ? take(arena, shape.size()) : heldDirection_.data();
        context_ = contextFor(io, step, arena);
        context_.lr *= pace();
        const T* g = transform(context_, static_cast<const T*>(io.gradient), ownContext());
        oracle_ = {};
        withheld_ = pipeline.frame && pipeline.frame->withholds(states_[ofFrame].scalars);
        if (pipeline.frame) pipeline.frame->observe(contextOf(ofFrame), g);
        decrease_ = 0.0;
        if (withheld_) return oracle_.dualNorm;
        g = pullBack(g);
        held_ = io.estimate;
        const T* m = pipeline.estimator->estimate(contextOf(ofEstimator), g, take(arena, shape.size()));
        if (pipeline.frame) {
            directInside(step, g, m, direction);
        } else {
            m = precondition(context_, g, m, ownContext());
            oracle_ =
                pipeline.geometry->ball({step.slots, &arena, false, fused, step.team}, shape, m, direction);
        }
        decrease_ = pipeline.scaling->decrease(contextOf(ofScaling), oracle_, m);
        direction_ = oracle_.inputIsDirection ? m : direction;
        if (!pipeline.adjustments.empty()) adjust(direction);
        return oracle_.dualNorm;
    }

    double decrease() const override { return decrease_; }

    void move(const BlockIo& io, Coupling coupling, Arena& arena) override {
        T* target = static_cast<T*>(io.target);
        if (target != weights_) std::copy(weights_, weights_ + shape.size(), target);
        report = {};
        report.present = true;
        if (withheld_) return;
        context_.arena = &arena;
        coupling.decrease = decrease_;
        context_.lr *= pipeline.scaling->pace(context_.slots, context_.lr, coupling);
        const double length = pipeline.scaling->factorOf(contextOf(ofScaling), oracle_, coupling);
        const T* d = direction_;
        const double lr = context_.lr;
        double factor = lr * length, size = oracle_.frobenius;
        if (pipeline.output) {
            d = accumulate(pipeline.outputTakesLr ? factor : length, arena);
            factor = pipeline.outputTakesLr ? 1.0 : lr;
            size = frobeniusNorm(shape.size(), d).full();
        }
        pipeline.update->apply(contextOf(ofUpdate), factor, d, target);
        ++count;
        const double plain = std::abs(factor) * size;
        const double moved = pipeline.update->length(states_[ofUpdate].scalars, lr, plain);
        report.dualNorm = oracle_.dualNorm.in(dtype);
        report.stepSize = oracle_.ballScale != 0.0 ? lr * length / oracle_.ballScale : 0.0;
        if (moved != plain) report.stepSize *= moved / plain;
        report.updateRms = moved / std::sqrt(entries());
        report.residual = oracle_.residual;
        report.backend = oracle_.backend;
        report.fallbacks = oracle_.fallbacks;
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

    void saveState(bool withWeights) override {
        saved_.clear();
        savedWeights_.assign(weights_, weights_ + (withWeights ? shape.size() : 0));
        for (const auto& part : states_) saved_.push_back({part.arrays, part.scalars});
        savedCount_ = count;
        savedTurn_ = turn_;
        savedHeld_ = held_;
        savedReport_ = report;
    }

    void restoreState() override {
        for (std::size_t i = 0; i < states_.size(); ++i) {
            for (std::size_t j = 0; j < saved_[i].arrays.size(); ++j)
                std::copy(saved_[i].arrays[j].begin(), saved_[i].arrays[j].end(), states_[i].pointers[j]);
            std::copy(saved_[i].scalars.begin(), saved_[i].scalars.end(), states_[i].scalars.begin());
        }
        saved_.clear();
        std::copy(savedWeights_.begin(), savedWeights_.end(), weights_);
        savedWeights_.clear();
        count = savedCount_;
        turn_ = savedTurn_;
        held_ = savedHeld_;
        report = savedReport_;
    }

    Index countNonFinite(const BlockIo& io) const override {
        Index found = kernels::countNonFinite(shape.size(), static_cast<const T*>(io.target));
        for (const auto& part : states_) {
            for (const auto& array : part.arrays)
                found += kernels::countNonFinite(static_cast<Index>(array.size()), array.data());
            found += kernels::countNonFinite(static_cast<Index>(part.scalars.size()), part.scalars.data());
        }
        return found;
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
    std::size_t ofSharing() const {
        return sharing_ == pipeline.estimator.get() ? ofEstimator : ofPreconditioner;
    }

    void checkSharing() const {
        if (sharing_ == pipeline.estimator.get() && pipeline.preconditioner &&
            pipeline.preconditioner->sums() > 0)
            throw std::invalid_argument("two parts need sums over the blocks");
        for (const auto& transform : pipeline.transforms)  // they run twice
            if (!transform->state(shape).empty() || !transform->scalars().empty())
                throw std::invalid_argument("a transform with state stands before a part that needs sums");
    }

    void requireUniqueNames() {
        std::set<std::string> names;
        for (const State& kept : state())
            if (!names.insert(kept.name).second)
                throw std::invalid_argument("two parts keep a state called '" + kept.name + "'");
    }

    /// Largest magnitude of a gradient, pulled back by the update, that all other parts can take.
    double largestMagnitude(std::span<const double> slots) const {
        double limit = largestFinite(dtype) / pipeline.estimator->gain(slots);
        pipeline.forEach([&](const Part& part) {
            if (&part != pipeline.update.get()) limit = std::min(limit, part.largestMagnitude(shape, dtype));
        });
        return limit;
    }

    /// Largest magnitude of an activation or a delta that all parts can take.
    double largestSample() const {
        double limit = largestFinite(dtype);
        pipeline.forEach(
            [&](const Part& part) { limit = std::min(limit, part.largestSample(shape, dtype)); });
        return limit;
    }

    static T* take(Arena& arena, Index n) { return arena.take<T>(static_cast<std::size_t>(n)); }

    /// The output momentum, an estimator of linear form, takes `length` times the direction.
    const T* accumulate(double length, Arena& arena) {
        const kernels::Momentum x = *pipeline.output->linear(context_.slots, count);
        T* momentum = states_[ofOutput].pointers[0];
        if (x.c == 0.0 && x.d == 1.0 && x.e == 0.0) {
            kernels::combine(shape.size(), x.a, momentum, x.b * length, direction_, momentum);
            return momentum;
        }
        T* ahead = take(arena, shape.size());
        kernels::momentum(shape.size(), {x.a, x.b * length, x.c * length, x.d, x.e}, direction_, momentum,
                          ahead);
        return ahead;
    }

    /// The factor that gives what the oracle wrote its length by the rule, lr aside. The oracle's result
    /// becomes that of the direction multiplied by it.
    double takeScale() {
        const bool ball = pipeline.scaling->rule() == Rule::ball;
        const double scale = ball ? oracle_.ballScale : oracle_.regularizedScale;
        oracle_.frobenius *= std::abs(scale);
        oracle_.ballScale = oracle_.regularizedScale = oracle_.dualNorm.isZero() ? 0.0 : 1.0;
        oracle_.inputIsDirection = false;
        return scale;
    }

    /// The adjustments one after the other. d is `factor` times what stands at direction_, until a part
    /// writes it.
    void adjust(T* direction) {
        double factor = takeScale(), size = oracle_.frobenius;
        const std::size_t first = ofTransforms + pipeline.transforms.size();
        for (std::size_t i = 0; i < pipeline.adjustments.size(); ++i) {
            const Adjustment& adjustment = *pipeline.adjustments[i];
            const Context<T> own = contextOf(first + i);
            if (adjustment.rescales() && inMiddle(size)) {
                const std::optional<Scaled> length = adjustment.length(own, oracle_);
                const double wanted = length ? length->full() : size;
                if (inMiddle(wanted) && inMiddle(factor * wanted / size)) {
                    factor *= wanted / size;
                    size = wanted;
                    continue;
                }
            }
            kernels::scale(shape.size(), factor, direction_, direction);
            direction_ = direction;
            factor = 1.0;
            adjustment.apply(own, oracle_, direction);
            size = frobeniusNorm(shape.size(), direction).full();
        }
        oracle_.frobenius = factor != 0.0 ? size / std::abs(factor) : 0.0;
        // An adjustment may lead on where the oracle has nothing to say.
        oracle_.ballScale = oracle_.regularizedScale = size > 0.0 ? factor : 0.0;
    }

    /// Whether a factor of this size can multiply entries of either dtype without leaving the range.
    static bool inMiddle(double x) { return std::abs(x) > 0x1p-60 && std::abs(x) < 0x1p60; }

    /// The gradient by what the update moves.
    const T* pullBack(const T* g) {
        if (!pipeline.update->pullsBack()) return g;
        return pipeline.update->pullBack(contextOf(ofUpdate), g, take(*context_.arena, shape.size()));
    }

    /// Preconditioner and oracle in the coordinates of the frame.
    void directInside(const StepContext& step, const T* g, const T* m, T* direction) {
        Arena& arena = *context_.arena;
        context_.held = take(arena, pipeline.frame->held(shape));
        const Context<T> outside = contextOf(ofFrame);
        const Index n = inner_.size();
        T *x = take(arena, n), *d = take(arena, n);
        const T* inside = nullptr;
        if (pipeline.preconditioner) {
            T* seen = take(arena, n);
            pipeline.frame->enter(outside, g, seen);
            inside = seen;
        }
        pipeline.frame->enter(outside, m, x);
        Context<T> c = context_;
        c.shape = inner_;
        const T* mapped = precondition(c, inside, x, [&](std::size_t part) { return ownOf(c, part); });
        oracle_ = pipeline.geometry->ball({step.slots, &arena, false, true, step.team}, inner_, mapped, d);
        const T* found = oracle_.inputIsDirection ? mapped : d;
        kernels::scale(n, takeScale(), found, d);
        pipeline.frame->leave(outside, d, direction);
        pipeline.frame->conclude(outside, g);
        oracle_.frobenius = frobeniusNorm(shape.size(), direction).full();
    }

    /// Largest magnitudes of the extras, in their order; refused where an entry is not finite.
    Refusal scanExtras(const BlockIo& io, std::array<double, 4>& largest) const {
        const Index n = shape.size();
        const auto& x = io.extras;
        const std::pair<const void*, Index> arrays[] = {
            {x.previous, n},
            {x.activations.data, x.activations.count * shape.cols},
            {x.deltas.data, x.deltas.count * shape.rows},
            {x.perExample.data, x.perExample.count * n},
        };
        for (std::size_t i = 0; i < largest.size(); ++i) {
            const auto [data, size] = arrays[i];
            if (data == nullptr) continue;
            const auto* entries = static_cast<const T*>(data);
            largest[i] = kernels::maxAbs(size, entries);
            if (!std::isfinite(largest[i]))
                return {
                    Refusal::Kind::extraNotFinite, 0, kernels::countNonFinite(size, entries), 0.0, 0.0, i};
        }
        return {};
    }

    Magnitudes refuse(Refusal::Kind kind, const T* x) const {
        Magnitudes result;
        result.refusal = {kind, 0, kernels::countNonFinite(shape.size(), x), 0.0, 0.0};
        return result;
    }

    double entries() const { return static_cast<double>(std::max<Index>(1, shape.size())); }

    Context<T> contextFor(const BlockIo& io, const StepContext& step, Arena& arena) const {
        Context<T> c{shape, step.step, count, io.lr, weights_, step.slots, {}, &arena};
        const auto samples = [](const Samples<void>& x) {
            return Samples<T>{static_cast<const T*>(x.data), x.count};
        };
        c.extras = {static_cast<const T*>(io.extras.previous), samples(io.extras.activations),
                    samples(io.extras.deltas), samples(io.extras.perExample)};
        c.salt = salt_;
        if (guarded)  // decay and rounding may still add to it
            c.limit = 0.25 *
                      std::min(largestMagnitude(step.slots), pipeline.update->largestMagnitude(shape, dtype));
        if (partner != nullptr) {
            c.partner = static_cast<const T*>(partner->weights());
            c.partnerShape = partner->shape;
        }
        return c;
    }

    /// The context as the part with this state sees it.
    Context<T> ownOf(const Context<T>& c, std::size_t part) {
        Context<T> result = c;
        result.state = states_[part].pointers;
        result.scalars = states_[part].scalars;
        return result;
    }
    Context<T> contextOf(std::size_t part) { return ownOf(context_, part); }
    auto ownContext() {
        return [this](std::size_t part) { return contextOf(part); };
    }

    /// The transformed gradient. `own(part)` is the context as that part sees it.
    template <class Own>
    const T* transform(const Context<T>& c, const T* g, Own own) const {
        T* work = pipeline.transforms.empty() ? nullptr : take(*c.arena, c.size());
        for (std::size_t i = 0; i < pipeline.transforms.size(); ++i)
            g = pipeline.transforms[i]->apply(own(ofTransforms + i), g, work);
        return g;
    }

    /// What the oracle sees.
    template <class Own>
    const T* precondition(const Context<T>& c, const T* g, const T* m, Own own) const {
        if (!pipeline.preconditioner) return m;
        T* mapped = take(*c.arena, c.size());
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
        const T* g = transform(c, static_cast<const T*>(io.gradient) + at, own);
        const T* m = pipeline.estimator->estimate(own(ofEstimator), g, take(arena, n));
        m = precondition(c, g, m, own);
        T* d = take(arena, n);
        const OracleResult oracle = pipeline.geometry->ball({step.slots, &arena, false, true}, c.shape, m, d);
        T* target = static_cast<T*>(io.target) + at;
        if (target != c.weights) std::copy(c.weights, c.weights + n, target);
        pipeline.update->apply(own(ofUpdate), io.lr * pipeline.scaling->factor(step.slots, oracle, coupling),
                               oracle.inputIsDirection ? m : d, target);
        const bool euclidean = pipeline.scaling->rule() == Rule::regularization;
        return {euclidean ? oracle.dualNorm.squared() : oracle.dualNorm, oracle.frobenius * oracle.frobenius,
                oracle.backend};
    }

    /// The step as one loop, where every part has that form. Under the rule of a divisible block the
    /// direction is minus the estimate (regularization, r = 2) or minus its signs (ball, r = inf).
    std::optional<kernels::Descent<T>> descentOf(const BlockIo& io, const StepContext& step,
                                                 const Coupling& coupling) const {
        const bool signs = pipeline.scaling->rule() == Rule::ball;
        if (pipeline.transforms.size() > 1 || (signs && pipeline.preconditioner)) return {};
        const auto array = [&](std::size_t part, std::size_t i) {
            return i < states_[part].pointers.size() ? states_[part].pointers[i] : nullptr;
        };
        const auto decay = pipeline.transforms.empty() ? 0.0 : pipeline.transforms[0]->decay(step.slots);
        const auto momentum = pipeline.estimator->linear(step.slots, count);
        const auto metric = pipeline.preconditioner ? pipeline.preconditioner->metric(step.slots, count)
                                                    : std::optional(kernels::Metric{});
        const auto keep = pipeline.update->keep(step.slots, io.lr);
        if (!decay || !momentum || !metric || !keep) return {};
        OracleResult unit;
        unit.ballScale = unit.regularizedScale = -1.0;
        return kernels::Descent<T>{
            .decay = *decay,
            .momentum = *momentum,
            .metric = *metric,
            .direction = signs ? kernels::Direction::signs : kernels::Direction::estimate,
            .keep = *keep,
            .factor = io.lr * pipeline.scaling->factor(step.slots, unit, coupling),
            .g = static_cast<const T*>(io.gradient),
            .w = weights_,
            .m = array(ofEstimator, 0),
            .v = array(ofPreconditioner, 0),
            .u = array(ofPreconditioner, 1),
            .target = static_cast<T*>(io.target),
        };
    }

    /// The same for n entries from `at` on.
    Piece descend(kernels::Descent<T> d, Index at, Index n, Arena& arena) const {
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
        return {power, sums.squares, power.isZero() ? Backend::none : backend};
    }

    T* weights_;
    /// Where a part's state is in states_.
    enum : std::size_t {
        ofEstimator,
        ofFrame,
        ofPreconditioner,
        ofScaling,
        ofOutput,
        ofUpdate,
        ofTransforms
    };
    std::vector<PartState<T>> states_;  ///< the last ones are the adjustments'
    const Sharing* sharing_ = nullptr;
    Shape inner_;  ///< inside the frame
    std::uint64_t salt_ = 0xcbf29ce484222325ull;
    double turn_ = -1.0;
    bool withheld_ = false;
    std::vector<T> heldDirection_;
    const T* direction_ = nullptr;
    double held_ = 0.0;  ///< bound of the entries of the estimate so far
    Context<T> context_;
    OracleResult oracle_;
    double decrease_ = 0.0;  ///< what the scaling says of this step

    struct Saved {
        std::vector<std::vector<T>> arrays;
        std::vector<double> scalars;
    };
    std::vector<Saved> saved_;
    std::vector<T> savedWeights_;
    std::int64_t savedCount_ = 0;
    double savedTurn_ = -1.0;
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
