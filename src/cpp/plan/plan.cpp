#include "plan/plan.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "base/blas_threads.h"

namespace schattor {

std::size_t Plan::addGroup(Group group) {
    groups.push_back(std::move(group));
    return groups.size() - 1;
}

void Plan::addBlock(std::unique_ptr<Block> block, std::size_t group, Value weight) {
    Group& g = groups.at(group);
    if (!g.blocks.empty() && block->pipeline.scaling->rule() != g.rule)
        throw std::invalid_argument("blocks of one mixed norm follow different rules");
    g.rule = block->pipeline.scaling->rule();
    g.blocks.push_back(blocks.size());
    g.weights.push_back(weight);
    block->group = group;
    blocks.push_back(std::move(block));
}

void Plan::finish() {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        Block& block = *blocks[i];
        if (!groups[block.group].separates()) block.holdDirection();
        bytes = std::max(bytes, block.scratch());
        const auto* begin = static_cast<const std::byte*>(block.weights());
        const auto size = static_cast<std::size_t>(block.shape.size()) * sizeOf(block.dtype);
        if (size > 0) ranges_.push_back({begin, begin + size, i});
    }
    std::sort(ranges_.begin(), ranges_.end(),
              [](const Range& a, const Range& b) { return a.begin < b.begin; });
    arena_.reserve(bytes);
    norms_.resize(blocks.size());
    weights_.resize(blocks.size());
    couplings_.resize(blocks.size());
    present_.reserve(blocks.size());
    magnitudes_.resize(blocks.size());
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

Refusal Plan::check(std::span<BlockIo> io, std::span<const double> slots) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        magnitudes_[i] = {};
        if (io[i].gradient == nullptr) continue;
        magnitudes_[i] = blocks[i]->check(io[i], slots);
        if (magnitudes_[i].refusal) {
            magnitudes_[i].refusal.block = i;
            return magnitudes_[i].refusal;
        }
        io[i].estimate = magnitudes_[i].estimate;
    }
    for (const Group& group : groups)
        if (const Refusal refusal = checkNorms(group, slots)) return refusal;
    return {};
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

void Plan::runSeparate(const Group& group, std::span<BlockIo> io, std::span<const double> slots) {
    for (std::size_t j = 0; j < group.blocks.size(); ++j) {
        const std::size_t i = group.blocks[j];
        blocks[i]->report.present = false;
        if (io[i].gradient == nullptr) continue;
        const ArenaFrame frame(arena_);
        blocks[i]->direct(io[i], slots, step, arena_);
        blocks[i]->move(io[i], group.coupler ? group.coupler->alone(group.weights[j].at(slots)) : Coupling{});
    }
}

void Plan::runCoupled(const Group& group, std::span<BlockIo> io, std::span<const double> slots) {
    present_.clear();
    for (std::size_t j = 0; j < group.blocks.size(); ++j) {
        const std::size_t i = group.blocks[j];
        blocks[i]->report.present = false;
        if (io[i].gradient == nullptr) continue;
        const ArenaFrame frame(arena_);
        norms_[present_.size()] = blocks[i]->direct(io[i], slots, step, arena_);
        weights_[present_.size()] = group.weights[j].at(slots);
        present_.push_back(i);
    }
    const std::size_t n = present_.size();
    group.coupler->couple(std::span(norms_).first(n), std::span(weights_).first(n),
                          std::span(couplings_).first(n));
    for (std::size_t j = 0; j < n; ++j) blocks[present_[j]]->move(io[present_[j]], couplings_[j]);
}

Refusal Plan::run(Mode mode, std::span<BlockIo> io, std::span<const double> slots) {
    const SingleThreadedBlas single(deterministic_);
    if (const Refusal refusal = check(io, slots)) return refusal;
    if (mode == Mode::peek)
        for (auto& block : blocks) block->saveState();
    for (std::size_t i = 0; i < blocks.size(); ++i) io[i].lr = groups[blocks[i]->group].lr.at(slots);
    for (const Group& group : groups)
        group.separates() ? runSeparate(group, io, slots) : runCoupled(group, io, slots);
    if (mode != Mode::step)
        for (std::size_t i = 0; i < blocks.size(); ++i)
            if (io[i].gradient != nullptr) blocks[i]->subtractWeights(io[i]);
    if (mode == Mode::peek) {
        for (auto& block : blocks) block->restoreState();
    } else {
        reportStep = step++;
    }
    return {};
}

}  // namespace schattor
