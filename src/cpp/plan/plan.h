#pragma once

#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/failure.h"
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
    /// All directions come before the first move: blocks read each other's weights, or have one length
    /// together.
    bool barrier = false;
    /// Where the blocks take turns: the number of the turn, and which of `blocks` moves in it.
    struct Turns {
        Value turn, active;
    };
    std::optional<Turns> turns;

    bool separates() const { return !barrier && (!coupler || coupler->separates(rule)); }
};

/// There was no memory in the middle of a step; says what has become of it.
class OutOfMemory : public std::bad_alloc {
public:
    explicit OutOfMemory(std::string text) : text_(std::make_shared<const std::string>(std::move(text))) {}
    const char* what() const noexcept override { return text_->c_str(); }

private:
    std::shared_ptr<const std::string> text_;  // copies must not throw
};

enum class Mode {
    step,    ///< weights are moved in place
    update,  ///< state advances; the displacement goes to the targets, the weights stay
    peek     ///< as update, and the state is put back afterwards
};

/// One step over all blocks: checks before any state is touched, then estimate, precondition and
/// oracle for each block, the coupling, and the update. Where a group's blocks separate, both
/// passes run block by block, and element-wise blocks piece by piece. Blocks and pieces go to the
/// threads of the pool; which thread takes one changes no bit, as pieces are the same for any number
/// of threads and what they report is added up in their order. From the second step on, nothing is
/// allocated by step and update, but where a block needs more room than in all steps before; peek allocates
/// the copy of the state that it puts back.
///
/// Where a part may fail in the middle of a step, everything is copied first, one thread does the work, and a
/// step that failed or left numbers that are not finite is taken back.
class Plan {
public:
    /// `threads` = 0 stands for as many as defaultThreads() says when a step begins. Without
    /// `deterministic` a block that is too large a part of the work for one thread uses BLAS threads.
    explicit Plan(bool deterministic, int threads = 1) : deterministic_(deterministic), threads_(threads) {}

    std::size_t addGroup(Group group);
    /// `weight` is the block's weight in its group's coupler.
    void addBlock(std::unique_ptr<Block> block, std::size_t group, Value weight);
    /// Makes room for a step; called once, when all blocks are there.
    void finish();

    /// One entry of `io` per block. With a refusal, or with an error in `failure`, nothing has changed. One
    /// call at a time.
    Refusal run(Mode mode, std::span<BlockIo> io, std::span<const double> slots);
    /// After the whole state has been written from outside, that of the blocks included.
    void stateWritten(std::int64_t steps) {
        step = steps;
        broken_ = false;
    }
    /// Counts a step that was dropped because of its gradients.
    void skip() { ++skippedSteps; }

    /// Whether a gradient at [begin, end) must be copied before the step, which writes the weights: it
    /// overlaps those of another block, or its own in another place than entry by entry.
    bool mustCopy(std::size_t block, const void* begin, const void* end) const;

    /// Whether a block is worked through in pieces that stay in the cache from the first part to the last.
    bool divided(std::size_t block) const { return divided_.at(block); }

    std::vector<std::unique_ptr<Block>> blocks;
    std::vector<Group> groups;
    std::int64_t step = 0;  ///< completed so far
    std::int64_t skippedSteps = 0;
    std::int64_t reportStep = 0;  ///< number of the step that the report is about, from 1; 0: of none
    /// For the parts that may fail; they announce themselves before finish().
    std::shared_ptr<Failure> failure = std::make_shared<Failure>();

private:
    /// A range of entries of a block, and about how many nanoseconds it takes.
    struct Item {
        std::size_t block;
        Index begin, length;
        double cost;
        std::size_t piece = 0;  ///< where its report goes
    };
    void addItems(std::size_t block);
    std::size_t lonelyItems(int threads) const;

    /// One run: what the passes share.
    struct Run {
        Mode mode;
        std::span<BlockIo> io;
        StepContext step;
        int threads;
        bool present(const Item& item) const { return io[item.block].gradient != nullptr; }
    };
    /// Calls f(item, arena) for the items whose block has a gradient.
    template <class F>
    void forEach(const Run& run, std::span<const Item> items, F f);

    void takeTurns(const Run& run);
    void passOver(const Run& run);
    void shareSums(const Run& run);
    Refusal check(const Run& run);
    /// Whether the weights that block i reads beside its own are finite.
    Refusal checkPartner(std::size_t i) const;
    Refusal checkNorms(const Group& group, std::span<const double> slots) const;
    void advance(const Run& run);
    void advance(const Run& run, const Item& item, Arena& arena);
    void couple(const Run& run, const Group& group);
    void shareDecrease(const Run& run);
    Refusal checkResult(const Run& run) const;
    [[noreturn]] void rethrow() const;
    void equalizeArenas();
    static void reserve(Arena&, std::size_t bytes);

    bool deterministic_;
    int threads_;
    bool broken_ = false;        ///< a step broke off, and could not be taken back
    struct alignas(64) Worker {  // on cache lines of its own
        Arena arena;
    };
    std::vector<Worker> workers_;
    std::vector<Item> scans_;  ///< all blocks in pieces, in order
    std::vector<Item> steps_;  ///< blocks, and divisible ones in pieces; the most costly first
    std::vector<Item> moves_;  ///< blocks of coupled groups
    std::vector<Maxima> maxima_;
    std::vector<Piece> pieces_;
    std::vector<std::size_t> firstPiece_;  ///< of each block; the last entry is the number of pieces
    std::vector<bool> divided_;
    std::vector<bool> empty_;           ///< blocks without entries that take part in the present step
    std::vector<Scaled> norms_;         ///< of each block
    std::vector<Coupling> couplings_;   ///< of each block
    std::vector<Scaled> groupNorms_;    ///< of one group's present blocks
    std::vector<double> groupWeights_;  ///< likewise
    std::vector<Coupling> groupCouplings_;
    std::vector<Magnitudes> magnitudes_;
    std::vector<double> sums_;    ///< what each block adds to the sums of its group
    std::vector<double> totals_;  ///< of one group
    std::size_t sumsPerBlock_ = 0;
    struct Range {
        const std::byte* begin;
        const std::byte* end;
        std::size_t block;
    };
    std::vector<Range> ranges_;  ///< of the weights, sorted
};

}  // namespace schattor
