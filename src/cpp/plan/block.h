#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plan/block_checks.h"

namespace schattor {

/// What all blocks read of one run of the plan.
struct StepContext {
    std::span<const double> slots;
    std::int64_t step = 0;
    const Team* team = nullptr;  ///< for a block that is worked on alone
};

/// One named block: its weights (borrowed), its pipeline and its state. All calls in the order scan, check,
/// then one of three: advance; direct and move, where blocks are coupled in between; or, where the pipeline
/// is divisible, advancePiece for each piece and gather. The first two touch nothing; scan and advancePiece
/// may run for several ranges at once.
class Block {
public:
    Block(std::string itsName, Shape itsShape, Dtype itsDtype, Pipeline itsPipeline)
        : name(std::move(itsName)), shape(itsShape), dtype(itsDtype), pipeline(std::move(itsPipeline)) {}
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    virtual ~Block() = default;

    const std::string name;
    const Shape shape;
    const Dtype dtype;
    const Pipeline pipeline;
    std::size_t group = 0;
    std::int64_t count = 0;
    BlockReport report;
    const Block* partner = nullptr;  ///< whose weights parts may read
    bool takesTurns = false;         ///< the state starts anew with each turn
    bool guarded = false;            ///< results of parts may exceed what check() has found

    /// What is kept, as the outside sees it: the same for both dtypes.
    using State = BlockState<double>::Entry;
    virtual std::vector<State> state() = 0;
    /// Where steps are taken from: at the weights, or at another point of their shape.
    virtual const void* weights() const = 0;
    virtual void standAt(const void* point) = 0;  ///< null: at the weights

    /// Takes the room in which direct() leaves a direction.
    virtual void holdDirection() = 0;

    virtual Maxima scan(const BlockIo&, Index begin, Index length) const = 0;
    virtual Magnitudes check(const BlockIo&, const Maxima&, std::span<const double> slots) = 0;
    /// What is wrong with the weights: for a block whose partner reads them.
    virtual Refusal checkWeights() const = 0;

    /// The block's part of the sums that the recipe shares, and what they mean for it.
    virtual void measure(const BlockIo&, const StepContext&, Arena&, double* sums) = 0;
    virtual void share(const BlockIo&, const StepContext&, std::span<const double> sums) = 0;
    /// The numbers that all blocks of the recipe share.
    virtual std::span<double> shared() = 0;
    /// The factor on the learning rate that the parts set by themselves.
    virtual double pace() const = 0;
    /// Starts the state anew unless this turn has begun already.
    virtual void beginTurn(double turn) = 0;

    /// The whole step.
    virtual void advance(const BlockIo&, const StepContext&, const Coupling&, Arena&) = 0;
    /// The step as far as the oracle's dual norm, and from there on.
    virtual Scaled direct(const BlockIo&, const StepContext&, Arena&) = 0;
    /// What direct() has found that the step promises; see Scaling::decrease().
    virtual double decrease() const = 0;
    virtual void move(const BlockIo&, const StepContext&, const Coupling&, Arena&) = 0;

    /// The whole step of a range of entries. What it returns goes to gather(), in the order of the entries.
    virtual Piece advancePiece(const BlockIo&, const StepContext&, const Coupling&, Index begin, Index length,
                               Arena&) const = 0;
    virtual void gather(const BlockIo&, const StepContext&, const Coupling&, std::span<const Piece>) = 0;

    /// Keeps a copy of the state and, on demand, of the weights; restoreState() puts both back.
    virtual void saveState(bool withWeights) = 0;
    virtual void restoreState() = 0;
    /// Entries of the new weights and of the state that are NaN or infinite.
    virtual Index countNonFinite(const BlockIo&) const = 0;
    /// To be called after the state has been written from outside.
    virtual void stateWritten() = 0;
    /// Turns new weights in the target into the difference from the present ones.
    virtual void subtractWeights(const BlockIo&, Index begin, Index length) const = 0;
};

/// `weights` must outlive the block.
std::unique_ptr<Block> makeBlock(std::string name, Shape shape, Dtype dtype, void* weights,
                                 Pipeline pipeline);

}  // namespace schattor
