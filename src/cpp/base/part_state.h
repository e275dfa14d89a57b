#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/slots.h"

namespace schattor {

class Part;

/// What one part keeps for one block, and what the parts that it holds keep: arrays in the block's dtype, and
/// numbers. Part declares it (see part.h); the contexts of a step point into it.
template <class T>
struct PartState {
    const Part* part = nullptr;  ///< null: nobody, and no state
    Shape shape;                 ///< in which the part works
    std::string prefix;          ///< of its names
    std::vector<StateSlot> slots;
    std::vector<std::vector<T>> arrays;
    std::vector<T*> pointers;
    std::vector<ScalarSlot> scalarSlots;
    std::vector<double> scalars;
    std::vector<PartState> children;

    PartState() = default;
    PartState(PartState&&) noexcept = default;  // a copy's pointers would be those of the original
    PartState& operator=(PartState&&) noexcept = default;
    PartState(const PartState&) = delete;
    PartState& operator=(const PartState&) = delete;
    ~PartState() = default;

    /// Calls f(state) for each child, whatever its depth, and then for this one.
    template <class F>
    void forEach(F&& f) {
        for (PartState& child : children) child.forEach(f);
        f(*this);
    }
    template <class F>
    void forEach(F&& f) const {
        for (const PartState& child : children) child.forEach(f);
        f(*this);
    }

    /// As declared.
    void reset() {
        forEach([](PartState& own) {
            for (std::size_t i = 0; i < own.slots.size(); ++i) {
                const StateSlot& slot = own.slots[i];
                std::fill(own.arrays[i].begin(), own.arrays[i].end(), static_cast<T>(slot.initial));
                std::transform(slot.entries.begin(), slot.entries.end(), own.arrays[i].begin(),
                               [](double x) { return static_cast<T>(x); });
            }
            for (std::size_t i = 0; i < own.scalars.size(); ++i) own.scalars[i] = own.scalarSlots[i].initial;
        });
    }
};

}  // namespace schattor
