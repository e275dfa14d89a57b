#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "base/arena.h"
#include "base/part_state.h"
#include "base/types.h"
#include "base/value.h"

namespace schattor {

/// Vectors or matrices of the samples of a mini-batch, one behind the other; none where `data` is null.
template <class T>
struct Samples {
    const T* data = nullptr;
    Index count = 0;
};

/// What a step is given for a block beside its gradient, where a part requires it.
template <class T>
struct Extras {
    const T* previous = nullptr;  ///< gradient of the same samples at the previous point
    Samples<T> activations;       ///< inputs of the layer: a vector of `cols` numbers a sample
    Samples<T> deltas;            ///< gradients by its outputs: a vector of `rows` numbers a sample
    Samples<T> perExample;        ///< a gradient of the block's shape a sample
};

/// The state arrays of one part, or of a piece of the block, from entry `from` of each on.
template <class T>
class StateArrays {
public:
    StateArrays() = default;
    StateArrays(std::span<T* const> arrays, Index from) : arrays_(arrays), from_(from) {}
    T* operator[](std::size_t i) const { return arrays_[i] + from_; }
    std::size_t size() const { return arrays_.size(); }

private:
    std::span<T* const> arrays_;
    Index from_ = 0;
};

/// What every part may read during a step of one block. `T` is the block's dtype.
template <class T>
struct Context {
    Shape shape;
    std::int64_t step = 0;   ///< global step, from 0
    std::int64_t count = 0;  ///< steps that this block has taken before this one
    double lr = 0.0;
    const T* weights = nullptr;
    std::span<const double> slots;  ///< the scheduled hyperparameters of this step
    Arena* arena = nullptr;
    StateArrays<T> state = {};              ///< the part's own state arrays, in declared order
    std::span<double> scalars = {};         ///< the part's own numbers, in declared order
    std::span<PartState<T>> children = {};  ///< of the parts that it holds
    Extras<T> extras = {};
    std::uint64_t salt = 0;      ///< of the block's name: tells its random numbers from other blocks'
    const T* partner = nullptr;  ///< weights of the paired block, of this shape:
    Shape partnerShape = {};
    T* held = nullptr;  ///< what a frame keeps between enter() and leave()
    /// Largest magnitude of a result that nobody could bound before the step.
    double limit = std::numeric_limits<T>::max();
    bool isPiece = false;  ///< entries of the block from `from` on, of which each part sees as many
    Index from = 0;

    Index size() const { return shape.size(); }
    double operator()(const Value& value) const { return value.at(slots); }

    /// As the part with this state sees it.
    Context of(PartState<T>& own) const {
        Context result = *this;
        if (!isPiece) result.shape = own.shape;
        result.state = {own.pointers, from};
        result.scalars = own.scalars;
        result.children = own.children;
        return result;
    }

    /// As the i-th part that this one holds sees it: in its own shape, with its own state, and with random
    /// numbers of its own.
    Context child(std::size_t i) const {
        Context result = of(children[i]);
        result.salt = (salt ^ (i + 1)) * 0x100000001b3ull;
        return result;
    }
};

}  // namespace schattor
