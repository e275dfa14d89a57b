#pragma once

#include <limits>

#include "plan/block_state.h"

namespace schattor {

/// The first stages of a step, of a whole block or of a piece of it: from the gradient to what the oracle
/// sees. The context is that of the block or the piece; arrays are taken from its arena.
template <class T>
class BlockStages {
public:
    BlockStages(const Pipeline& parts, BlockState<T>& state) : parts_(parts), state_(state) {}

    /// The context as the part in this place sees it.
    Context<T> own(const Context<T>& c, std::size_t slot) const { return c.of(state_[slot]); }

    /// The transformed gradient.
    const T* transform(const Context<T>&, const T* g) const;
    /// The estimate; zero where that is all that it is (isDead). `bound` is one of its entries.
    const T* estimate(const Context<T>&, const T* g, double bound) const;
    /// Whether no entry of an estimate is a normal number of the dtype. An average of a block whose gradients
    /// have ended stalls there, in roundings, where its direction means nothing any more.
    static bool isDead(double largest) { return largest < std::numeric_limits<T>::min(); }
    /// What the oracle sees.
    const T* precondition(const Context<T>&, const T* g, const T* m) const;

    static T* take(const Context<T>& c, Index n) {
        return c.arena->template take<T>(static_cast<std::size_t>(n));
    }

private:
    const Pipeline& parts_;
    BlockState<T>& state_;
};

}  // namespace schattor
