#pragma once

#include <cstdint>
#include <span>

#include "base/arena.h"
#include "base/types.h"
#include "base/value.h"

namespace schattor {

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

    Index size() const { return shape.size(); }
    double operator()(const Value& value) const { return value.at(slots); }
};

}  // namespace schattor
