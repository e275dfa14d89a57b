#pragma once

#include <optional>

#include "base/descent.h"
#include "plan/block_checks.h"
#include "plan/block_stages.h"

namespace schattor {

/// The step of a divisible block, piece by piece: in one loop over memory where every part has that form,
/// else in tiles whose arrays stay in the first-level cache from the first part to the last.
template <class T>
class BlockPieces {
public:
    BlockPieces(const Pipeline& parts, BlockState<T>& state) : parts_(parts), state_(state) {}

    /// The step of the entries from `begin` on; `whole` is the context of the block. May run for several
    /// ranges at once.
    Piece advance(const Context<T>& whole, const BlockIo&, const Coupling&, Index begin, Index length) const;

    /// What the pieces have found of the whole block, for the report: its dual norm, the length of the step,
    /// and the norm of the displacement.
    struct Total {
        Scaled dualNorm;
        double length = 0.0, moved = 0.0;
        Backend backend = Backend::none;
    };
    Total gather(const BlockIo&, std::span<const double> slots, const Coupling&,
                 std::span<const Piece>) const;

private:
    /// As BlockStages::estimate() has it; an estimator of linear form forgets.
    static bool isDead(const BlockIo& io) { return BlockStages<T>::isDead(io.estimate); }
    bool euclidean() const { return parts_.scaling->rule() == Rule::regularization; }
    std::optional<kernels::Descent<T>> descentOf(const Context<T>& whole, const BlockIo&,
                                                 const Coupling&) const;
    Piece descend(kernels::Descent<T>, Index at, Index n, Arena&) const;
    Piece advanceTile(const Context<T>& whole, const BlockIo&, const Coupling&, Index at, Index n) const;

    const Pipeline& parts_;
    BlockState<T>& state_;
};

}  // namespace schattor
