#pragma once

#include "base/part.h"

namespace schattor {

/// A part that may need sums over all blocks of its recipe before any of them moves. At most one part of a
/// block has sums.
class Sharing : public Part {
public:
    /// Writes this block's part of the sums, of which there are sums(). If there are any, measure() runs on
    /// all blocks that have a gradient, with the transformed one, and share() after it on all blocks; the
    /// block is not divided then, and transforms must keep no state. The scalars belong to the recipe: all
    /// blocks have the same ones. May advance the state.
    virtual void measure(const Context<float>&, const float* /*g*/, double* /*sums*/) const {}
    virtual void measure(const Context<double>&, const double* /*g*/, double* /*sums*/) const {}
    /// Takes the sums over all blocks into the scalars; nothing changes where no block has a gradient.
    virtual void share(std::span<const double> /*slots*/, std::span<const double> /*sums*/, double /*lr*/,
                       std::span<double> /*scalars*/) const {}
    /// The factor that the scalars put on the learning rate of a block that has taken `count` steps; decay
    /// follows it.
    virtual double pace(std::span<const double> /*scalars*/, std::int64_t /*count*/) const { return 1.0; }
};

}  // namespace schattor
