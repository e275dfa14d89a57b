#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "plan/pipeline.h"
#include "plan/report.h"

namespace schattor {

/// Where a block's numbers go in one run of the plan.
struct BlockIo {
    const void* gradient = nullptr;  ///< null: the block is left untouched
    void* target = nullptr;          ///< receives the new weights: the weights themselves or another array
    Extras<void> extras = {};
    double lr = 0.0;
    double estimate = 0.0;  ///< what check() found
};

/// What the check before a step found in one block.
struct Magnitudes {
    Refusal refusal;
    double estimate = 0.0;  ///< bound of the entries of the estimate, momentum included
    /// Where the step's length follows the estimate: a bound of its dual norm over the dtype's largest
    /// number.
    double norm = 0.0;
};

/// Largest magnitudes found in a range of entries; infinite where an entry is not finite.
struct Maxima {
    double gradient = 0.0;
    double weights = 0.0;  ///< only where a part reads them

    void include(const Maxima& other) {
        gradient = std::max(gradient, other.gradient);
        weights = std::max(weights, other.weights);
    }
};

/// What all blocks read of one run of the plan.
struct StepContext {
    std::span<const double> slots;
    std::int64_t step = 0;
    const Team* team = nullptr;  ///< for a block that is worked on alone
};

/// One named block: its weights (borrowed), its pipeline and its state. All calls in the order scan, check,
/// then direct and move, or, where the pipeline is divisible, advance for each piece and gather. The first
/// two touch nothing; scan and advance may run for several ranges at once.
class Block {
public:
    virtual ~Block() = default;

    std::string name;
    Shape shape;
    Dtype dtype = Dtype::float64;
    std::size_t group = 0;
    std::int64_t count = 0;
    Pipeline pipeline;
    BlockReport report;
    const Block* partner = nullptr;  ///< whose weights parts may read
    bool takesTurns = false;         ///< the state starts anew with each turn
    bool guarded = false;            ///< results of parts may exceed what check() has found

    /// A state array as the outside sees it.
    struct State {
        std::string name;
        Shape shape;
        void* data;
        bool isScalar = false;  ///< a double, whatever the block's dtype
    };
    virtual std::vector<State> state() = 0;
    virtual const void* weights() const = 0;

    /// Keeps a direction buffer across the coupling; otherwise what direct() takes from the arena must stay
    /// until move().
    virtual void holdDirection() = 0;
    /// Arena bytes for direct() and move(), or for advance().
    virtual std::size_t scratch(bool divided) const = 0;

    virtual Maxima scan(const BlockIo&, Index begin, Index length) const = 0;
    virtual Magnitudes check(const BlockIo&, const Maxima&, std::span<const double> slots) const = 0;
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

    virtual const Scaled& direct(const BlockIo&, const StepContext&, Arena&) = 0;
    /// What direct() has found that the step promises; see Scaling::decrease().
    virtual double decrease() const = 0;
    virtual void move(const BlockIo&, Coupling, Arena&) = 0;

    /// The whole step of a range of entries. What it returns goes to gather(), in the order of the entries.
    virtual Piece advance(const BlockIo&, const StepContext&, const Coupling&, Index begin, Index length,
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
