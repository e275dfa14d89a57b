#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "coupler/mixed_norm.h"
#include "plan/block.h"

namespace schattor {

/// Blocks that share a learning rate and, where there is one, a mixed norm.
struct Group {
    Value lr;
    std::optional<MixedNorm> coupler;
    std::vector<Value> weights;       ///< w_i of the coupler, in the order of `blocks`
    std::vector<std::size_t> blocks;  ///< numbers in the plan
    Rule rule = Rule::ball;

    bool separates() const { return !coupler || coupler->separates(rule); }
};

enum class Mode {
    step,    ///< weights are moved in place
    update,  ///< state advances; the displacement goes to the targets, the weights stay
    peek     ///< as update, and the state is put back afterwards
};

/// One step over all blocks: checks before any state is touched, then estimate, precondition and
/// oracle for each block, the coupling, and the update. Where a group's blocks separate, both
/// passes run block by block. From the second step on, nothing is allocated by step and update; peek
/// allocates the copy of the state that it puts back.
class Plan {
public:
    explicit Plan(bool deterministic) : deterministic_(deterministic) {}

    std::size_t addGroup(Group group);
    /// `weight` is the block's weight in its group's coupler.
    void addBlock(std::unique_ptr<Block> block, std::size_t group, Value weight);
    /// Sizes the arena; called once, when all blocks are there.
    void finish();

    /// One entry of `io` per block. With a refusal nothing has changed. One call at a time.
    Refusal run(Mode mode, std::span<BlockIo> io, std::span<const double> slots);
    /// Counts a step that was dropped because of its gradients.
    void skip() { ++skippedSteps; }

    /// Whether a gradient at [begin, end) must be copied before the step, which writes the weights: it
    /// overlaps those of another block, or its own in another place than entry by entry.
    bool mustCopy(std::size_t block, const void* begin, const void* end) const;

    std::vector<std::unique_ptr<Block>> blocks;
    std::vector<Group> groups;
    std::int64_t step = 0;
    std::int64_t skippedSteps = 0;
    std::int64_t reportStep = -1;  ///< step that the report is about

private:
    Refusal check(std::span<BlockIo> io, std::span<const double> slots);
    Refusal checkNorms(const Group& group, std::span<const double> slots) const;
    void runSeparate(const Group& group, std::span<BlockIo> io, std::span<const double> slots);
    void runCoupled(const Group& group, std::span<BlockIo> io, std::span<const double> slots);

    bool deterministic_;
    Arena arena_;
    std::vector<Scaled> norms_;
    std::vector<double> weights_;
    std::vector<Coupling> couplings_;
    std::vector<std::size_t> present_;
    std::vector<Magnitudes> magnitudes_;
    struct Range {
        const std::byte* begin;
        const std::byte* end;
        std::size_t block;
    };
    std::vector<Range> ranges_;  ///< of the weights, sorted
};

}  // namespace schattor
