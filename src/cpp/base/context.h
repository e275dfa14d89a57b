#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "base/arena.h"
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

/// What every part may read during a step of one block. `T` is the block's dtype.
template <class T>
struct Context {
    Shape shape;
    std::int64_t step = 0;   ///< global step, from 0
    std::int64_t count = 0;  ///< steps that this block has taken before this one
    double lr = 0.0;
    const T* weights = nullptr;
    std::span<const double> slots;  ///< the scheduled hyperparameters of this step
    std::span<T* const> state;      ///< the part's own state arrays, in declared order
    Arena* arena = nullptr;
    std::span<double> scalars = {};  ///< the part's own numbers, in declared order
    Extras<T> extras = {};
    std::uint64_t salt = 0;      ///< of the block's name: tells its random numbers from other blocks'
    const T* partner = nullptr;  ///< weights of the paired block, of this shape:
    Shape partnerShape = {};
    T* held = nullptr;  ///< what a frame keeps between enter() and leave()
    /// Largest magnitude of a result that nobody could bound before the step.
    double limit = std::numeric_limits<T>::max();

    Index size() const { return shape.size(); }
    double operator()(const Value& value) const { return value.at(slots); }
};

}  // namespace schattor
