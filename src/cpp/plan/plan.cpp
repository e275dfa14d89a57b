#include "plan/plan.h"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

#include "base/pool.h"
#include "linalg/blas_threads.h"

namespace schattor {

std::size_t Plan::addGroup(Group group) {
    groups.push_back(std::move(group));
    return groups.size() - 1;
}

void Plan::addBlock(std::unique_ptr<Block> block, std::size_t group, Value weight) {
    Group& g = groups.at(group);
    if (!g.blocks.empty() && block->pipeline.scaling->rule() != g.rule)
        throw std::invalid_argument("blocks of one mixed norm follow different rules");
    if (g.turns && block->pipeline.sharing() != nullptr)
        throw std::invalid_argument("blocks that take turns cannot share sums");
    g.rule = block->pipeline.scaling->rule();
    g.barrier |= block->pipeline.scaling->joint();
    g.blocks.push_back(blocks.size());
    g.weights.push_back(weight);
    block->group = group;
    blocks.push_back(std::move(block));
}

namespace {

/// Entries of one item: large against the cost of handing it out, small against a block that is worth
/// dividing.
constexpr Index chunk = 65536;

// About how many nanoseconds a block takes, by its kind alone.
double costOf(const Block& block, bool divided) {
    const auto size = static_cast<double>(block.shape.size());
    const double width = block.dtype == Dtype::float32 ? 1.0 : 2.0;
    if (divided) return 300.0 + 0.7 * width * size;
    if (block.shape.isVector() || block.pipeline.geometry->pieceExponent(block.shape))
        return 500.0 + 3.0 * width * size;
    return 2000.0 + size * static_cast<double>(block.shape.smaller());
}

}  // namespace

void Plan::addItems(std::size_t i) {
    const Block& block = *blocks[i];
    const Index size = block.shape.size();
    const double cost = costOf(block, divided_[i]);
    const double perEntry = cost / static_cast<double>(std::max<Index>(1, size));
    Index begin = 0;
    do {
        const Index length = std::min(chunk, size - begin);
        const auto share = static_cast<double>(length);
        scans_.push_back({i, begin, length, 20.0 + 0.03 * share * static_cast<double>(sizeOf(block.dtype)),
                          scans_.size()});
        if (divided_[i]) steps_.push_back({i, begin, length, perEntry * share, scans_.size() - 1});
        begin += length;
    } while (begin < size);
    if (!divided_[i]) steps_.push_back({i, 0, size, cost, 0});
    if (!groups[block.group].separates()) moves_.push_back({i, 0, size, 2.0 * static_cast<double>(size), 0});
}

void Plan::finish() {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        Block& block = *blocks[i];
        if (block.partner == nullptr && block.pipeline.reads().has(Input::partner))
            throw std::invalid_argument("block '" + block.name +
                                        "' has no pair, whose weights its parts read");
        if (const Sharing* sharing = block.pipeline.sharing())
            sumsPerBlock_ = std::max(sumsPerBlock_, static_cast<std::size_t>(sharing->sums()));
        block.guarded = failure->possible;
        const bool coupled = !groups[block.group].separates();
        if (coupled) block.holdDirection();
        divided_.push_back(!coupled && block.pipeline.divisible(block.shape));
        // What is in the making beside the oracle's own: in pieces, in blocks, and inside a frame.
        const Shape piece{1, std::min<Index>(block.shape.size(), 4096)};
        bytes = std::max(bytes, likelyScratch(divided_[i] ? piece : block.shape) * (divided_[i] ? 2 : 3) / 2);
        firstPiece_.push_back(scans_.size());
        addItems(i);
        const auto* begin = static_cast<const std::byte*>(block.weights());
        const auto size = static_cast<std::size_t>(block.shape.size()) * sizeOf(block.dtype);
        if (size > 0) ranges_.push_back({begin, begin + size, i});
    }
    firstPiece_.push_back(scans_.size());
    std::sort(ranges_.begin(), ranges_.end(),
              [](const Range& a, const Range& b) { return a.begin < b.begin; });
    const auto costlier = [](const Item& a, const Item& b) { return a.cost > b.cost; };
    std::stable_sort(steps_.begin(), steps_.end(), costlier);
    std::stable_sort(moves_.begin(), moves_.end(), costlier);
    const auto most = std::max<std::size_t>(1, std::max(scans_.size(), steps_.size()));
    const auto wanted = static_cast<std::size_t>(threads_ > 0 ? threads_ : availableProcessors());
    workers_.resize(std::min(most, wanted));
    for (Worker& worker : workers_) reserve(worker.arena, bytes);
    maxima_.resize(scans_.size());
    pieces_.resize(scans_.size());
    norms_.resize(blocks.size());
    couplings_.resize(blocks.size());
    groupNorms_.resize(blocks.size());
    groupWeights_.resize(blocks.size());
    groupCouplings_.resize(blocks.size());
    magnitudes_.resize(blocks.size());
    empty_.resize(blocks.size());
    sums_.resize(blocks.size() * sumsPerBlock_);
    totals_.resize(sumsPerBlock_);
}

bool Plan::mustCopy(std::size_t block, const void* begin, const void* end) const {
    const auto* from = static_cast<const std::byte*>(begin);
    const auto* to = static_cast<const std::byte*>(end);
    auto range = std::upper_bound(ranges_.begin(), ranges_.end(), from,
                                  [](const std::byte* p, const Range& r) { return p < r.end; });
    for (; range != ranges_.end() && range->begin < to; ++range)
        if (range->block != block || range->begin != from) return true;
    return false;
}

template <class F>
void Plan::forEach(const Run& run, std::span<const Item> items, F f) {
    double cost = 0.0;
    for (const Item& item : items) cost += run.present(item) ? item.cost : 0.0;
    const int threads = cost < Pool::worthwhile ? 1 : run.threads;
    Pool::run(threads, static_cast<Index>(items.size()), [&](int worker, Index i) {
        const Item& item = items[static_cast<std::size_t>(i)];
        if (!run.present(item)) return;
        Arena& arena = workers_[static_cast<std::size_t>(worker)].arena;
        const ArenaFrame frame(arena);
        f(item, arena);
    });
}

// A block whose turn it is not is as one without a gradient.
void Plan::takeTurns(const Run& run) {
    for (const Group& group : groups) {
        if (!group.turns) continue;
        const double active = group.turns->active.at(run.step.slots);
        for (std::size_t j = 0; j < group.blocks.size(); ++j)
            if (static_cast<double>(j) != active) run.io[group.blocks[j]].gradient = nullptr;
    }
}

// No part sees an empty block, which would have to guard its divisions: there is nothing to move. It counts
// its steps all the same.
void Plan::passOver(const Run& run) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        empty_[i] = blocks[i]->shape.size() == 0 && run.io[i].gradient != nullptr;
        if (empty_[i]) run.io[i].gradient = nullptr;
    }
}

// The sums are added up in the order of the blocks.
void Plan::shareSums(const Run& run) {
    if (sumsPerBlock_ == 0) return;
    const auto sums = [&](std::size_t i) {
        return std::span(sums_).subspan(i * sumsPerBlock_, sumsPerBlock_);
    };
    const auto shares = [&](std::size_t i) { return blocks[i]->pipeline.sharing() != nullptr; };
    for (const Group& group : groups) {  // a block that has joined later takes over what the others know
        if (group.blocks.empty() || !shares(group.blocks.front())) continue;
        const std::span<const double> known = blocks[group.blocks.front()]->shared();
        for (const std::size_t i : group.blocks)
            std::copy(known.begin(), known.end(), blocks[i]->shared().begin());
    }
    std::fill(sums_.begin(), sums_.end(), 0.0);
    forEach(run, steps_, [&](const Item& item, Arena& arena) {
        const std::size_t i = item.block;
        if (shares(i)) blocks[i]->measure(run.io[i], run.step, arena, sums(i).data());
    });
    for (const Group& group : groups) {
        std::fill(totals_.begin(), totals_.end(), 0.0);
        for (const std::size_t i : group.blocks)
            for (std::size_t k = 0; k < sumsPerBlock_; ++k) totals_[k] += sums(i)[k];
        for (const std::size_t i : group.blocks)
            if (shares(i)) blocks[i]->share(run.io[i], run.step, totals_);
    }
}

Refusal Plan::check(const Run& run) {
    forEach(run, scans_, [&](const Item& item, Arena&) {
        maxima_[item.piece] = blocks[item.block]->scan(run.io[item.block], item.begin, item.length);
    });
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        magnitudes_[i] = {};
        if (run.io[i].gradient == nullptr) continue;
        Maxima maxima;
        for (std::size_t j = firstPiece_[i]; j < firstPiece_[i + 1]; ++j) maxima.include(maxima_[j]);
        magnitudes_[i] = blocks[i]->check(run.io[i], maxima, run.step.slots);
        if (magnitudes_[i].refusal) {
            magnitudes_[i].refusal.block = i;
            return magnitudes_[i].refusal;
        }
        run.io[i].estimate = magnitudes_[i].estimate;
        if (const Refusal refusal = checkPartner(i)) return refusal;
    }
    for (const Group& group : groups)
        if (const Refusal refusal = checkNorms(group, run.step.slots)) return refusal;
    return {};
}

Refusal Plan::checkPartner(std::size_t i) const {
    const Block* partner = blocks[i]->partner;
    Refusal refusal = partner != nullptr ? partner->checkWeights() : Refusal{};
    if (refusal)
        while (blocks[refusal.block].get() != partner) ++refusal.block;
    return refusal;
}

// The regularization rule moves block i by ||G||_* tau_i / w_i. With ||G||_* <= sum_i ||G_i|| / w_i this
// stays finite when that sum over the smallest weight below one does; a group that separates has sums of one
// term.
Refusal Plan::checkNorms(const Group& group, std::span<const double> slots) const {
    const auto refuse = [&](std::size_t i, double bound) {
        const double found = magnitudes_[i].estimate;
        return Refusal{Refusal::Kind::estimateTooLarge, i, 0, found, found / bound};
    };
    double ceiling = std::numeric_limits<double>::max();  // of the narrowest dtype
    for (const std::size_t i : group.blocks) ceiling = std::min(ceiling, largestFinite(blocks[i]->dtype));
    double total = 0.0, largest = 0.0, smallestWeight = 1.0;
    std::size_t worst = 0;
    for (std::size_t j = 0; j < group.blocks.size(); ++j) {
        const std::size_t i = group.blocks[j];
        const double weight = group.weights[j].at(slots);
        const double alone = magnitudes_[i].norm / weight / std::min(1.0, weight);
        if (alone > 1.0) return refuse(i, alone);
        const double share = magnitudes_[i].norm * (largestFinite(blocks[i]->dtype) / ceiling) / weight;
        total += share;
        smallestWeight = std::min(smallestWeight, weight);
        if (share > largest) {
            largest = share;
            worst = i;
        }
    }
    const double bound = total / smallestWeight;
    return !group.separates() && bound > 1.0 ? refuse(worst, bound) : Refusal{};
}

// Blocks that come first in `steps_` and are each more than their share of what is left: on one thread they
// would outlast the others, so the threads share their work, with an efficiency put at three quarters.
std::size_t Plan::lonelyItems(int threads) const {
    double left = 0.0;
    for (const Item& item : steps_) left += item.cost;
    std::size_t count = 0;
    for (; count < steps_.size(); ++count) {
        const Item& item = steps_[count];
        const Block& block = *blocks[item.block];
        const bool large = !divided_[item.block] && block.shape.smaller() >= threadedBlasFrom;
        // BLAS threads would make results depend on their number.
        const bool shared = !deterministic_ || block.pipeline.geometry->sharesWork(block.shape, block.dtype);
        if (!large || !shared || item.cost * threads * 0.75 <= left) break;
        left -= item.cost;
    }
    return count;
}

void Plan::advance(const Run& run, const Item& item, Arena& arena) {
    const std::size_t i = item.block;
    Block& block = *blocks[i];
    const BlockIo& io = run.io[i];
    if (divided_[i]) {
        pieces_[item.piece] = block.advancePiece(io, run.step, couplings_[i], item.begin, item.length, arena);
    } else if (groups[block.group].separates()) {
        block.advance(io, run.step, couplings_[i], arena);
    } else {
        norms_[i] = block.direct(io, run.step, arena);
    }
}

void Plan::advance(const Run& run) {
    for (const Group& group : groups)
        for (std::size_t j = 0; j < group.blocks.size(); ++j) {
            const bool weighted = group.coupler && group.separates();
            couplings_[group.blocks[j]] =
                weighted ? group.coupler->alone(group.weights[j].at(run.step.slots)) : Coupling{};
        }
    const std::size_t lonely = run.threads > 1 ? lonelyItems(run.threads) : 0;
    const Team team(run.threads);
    const auto advanceItem = [&](const Item& item, Arena& arena) { advance(run, item, arena); };
    Run alone = run;
    alone.threads = 1;
    alone.step.team = &team;
    forEach(alone, std::span(steps_).first(lonely), advanceItem);
    const SingleThreadedBlas single;
    forEach(run, std::span(steps_).subspan(lonely), advanceItem);
    for (const Group& group : groups)
        if (!group.separates()) couple(run, group);
    shareDecrease(run);
    forEach(run, moves_, [&](const Item& item, Arena& arena) {
        blocks[item.block]->move(run.io[item.block], run.step, couplings_[item.block], arena);
    });
    for (std::size_t i = 0; i < blocks.size(); ++i)
        if (divided_[i] && run.io[i].gradient != nullptr)
            blocks[i]->gather(
                run.io[i], run.step, couplings_[i],
                std::span(pieces_).subspan(firstPiece_[i], firstPiece_[i + 1] - firstPiece_[i]));
}

void Plan::couple(const Run& run, const Group& group) {
    if (!group.coupler) return;
    std::size_t n = 0;
    for (std::size_t j = 0; j < group.blocks.size(); ++j) {
        const std::size_t i = group.blocks[j];
        if (run.io[i].gradient == nullptr) continue;
        groupNorms_[n] = norms_[i];
        groupWeights_[n++] = group.weights[j].at(run.step.slots);
    }
    group.coupler->couple(std::span(groupNorms_).first(n), std::span(groupWeights_).first(n),
                          std::span(groupCouplings_).first(n));
    n = 0;
    for (const std::size_t i : group.blocks)
        if (run.io[i].gradient != nullptr) couplings_[i] = groupCouplings_[n++];
}

// Added up in the order of the blocks, over all groups.
void Plan::shareDecrease(const Run& run) {
    double total = 0.0;
    const auto joins = [&](std::size_t i) {
        return run.io[i].gradient != nullptr && blocks[i]->pipeline.scaling->joint();
    };
    for (std::size_t i = 0; i < blocks.size(); ++i)
        if (joins(i)) total += blocks[i]->decrease();
    for (std::size_t i = 0; i < blocks.size(); ++i)
        if (joins(i)) couplings_[i].total = total;
}

Refusal Plan::checkResult(const Run& run) const {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        const BlockIo& io = run.io[i];
        const Index count = io.gradient == nullptr ? 0 : blocks[i]->countNonFinite(io);
        if (count > 0) return {Refusal::Kind::stepNotFinite, i, count};
    }
    return {};
}

Refusal Plan::run(Mode mode, std::span<BlockIo> io, std::span<const double> slots) {
    if (broken_)
        throw std::runtime_error(
            "a step was broken off in the middle: put the weights back and load a state before the next one");
    const bool fallible = failure->possible;
    const int wanted = fallible ? 1 : threads_ > 0 ? threads_ : defaultThreads();
    const int threads = std::min(wanted, static_cast<int>(workers_.size()));
    const SingleThreadedBlas single(deterministic_ || threads == 1);
    const Run run{mode, io, {slots, step}, threads};
    for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i]->standAt(io[i].point);
    takeTurns(run);
    passOver(run);
    if (const Refusal refusal = check(run)) return refusal;
    const bool saved = mode == Mode::peek || fallible;
    if (saved)
        for (auto& block : blocks) block->saveState(mode == Mode::step);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        io[i].lr = groups[blocks[i]->group].lr.at(slots);
        blocks[i]->report.present = false;
        const auto& turns = groups[blocks[i]->group].turns;
        if (turns && (io[i].gradient != nullptr || empty_[i])) blocks[i]->beginTurn(turns->turn.at(slots));
        if (empty_[i]) {
            ++blocks[i]->count;
            blocks[i]->report = {.present = true};
        }
    }
    try {
        shareSums(run);
        advance(run);
    } catch (...) {
        for (auto& block : blocks)
            if (saved) block->restoreState();
        broken_ = !saved;
        rethrow();
    }
    equalizeArenas();
    const Refusal refusal = fallible && !failure->error ? checkResult(run) : Refusal{};
    const bool failed = failure->error || refusal;
    if (mode != Mode::step && !failed)
        forEach(run, scans_, [&](const Item& item, Arena&) {
            blocks[item.block]->subtractWeights(io[item.block], item.begin, item.length);
        });
    if (mode == Mode::peek || failed)
        for (auto& block : blocks) block->restoreState();
    else
        reportStep = ++step;
    return refusal;
}

// Whatever a part throws comes out of a step half taken.
void Plan::rethrow() const {
    const std::string what = broken_
                                 ? " in the middle of a step: some weights have moved and others have not. "
                                   "Put the weights back and load a state before the next step"
                                 : "; the step was taken back";
    try {
        throw;
    } catch (const std::bad_alloc&) {
        throw OutOfMemory("out of memory" + what);
    } catch (const std::exception& error) {
        throw std::runtime_error(error.what() + what);
    }
}

// So that the next run needs no more memory, whichever thread takes which block.
void Plan::equalizeArenas() {
    std::size_t most = 0;
    for (const Worker& worker : workers_) most = std::max(most, worker.arena.highest());
    for (Worker& worker : workers_) reserve(worker.arena, most);
}

// What there is no room for now may never be needed.
void Plan::reserve(Arena& arena, std::size_t bytes) {
    try {
        arena.reserve(bytes);
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): the arena grows when it must
    }
}

}  // namespace schattor
