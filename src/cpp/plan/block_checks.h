#pragma once

#include <algorithm>
#include <array>

#include "plan/block_state.h"
#include "plan/report.h"

namespace schattor {

/// Where a block's numbers go in one run of the plan.
struct BlockIo {
    const void* gradient = nullptr;  ///< null: the block is left untouched
    const void* point = nullptr;     ///< stands for the weights; null: they do
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

/// Looks before a step whether every part can take what it will be given. Touches nothing.
template <class T>
class BlockChecks {
public:
    BlockChecks(const Pipeline&, Shape);

    Maxima scan(const T* gradient, const T* weights, Index begin, Index length) const;
    /// `bound` is one of the entries of the estimate so far. `own` is the update's context, with the block's
    /// weights.
    Magnitudes check(const BlockIo&, const Maxima&, const Context<T>& own, const BlockState<T>&,
                     double bound) const;
    /// Largest magnitude of a gradient that all parts can take: once pulled back by the update, and before.
    double limit(std::span<const double> slots) const;
    double limitOfUpdate(std::span<const double> slots, const BlockState<T>&) const;

    static Refusal refuse(Refusal::Kind kind, Index n, const T* x);

private:
    Refusal scanExtras(const BlockIo&, std::array<double, 4>& largest) const;

    const Pipeline& parts_;
    Shape shape_;
    // Facts about the parts, which walk trees.
    bool readsWeights_;
    double mostOfUpdate_, most_, mostOfSamples_;
};

}  // namespace schattor
