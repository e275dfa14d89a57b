#pragma once

#include <algorithm>
#include <vector>

#include "base/part.h"

namespace schattor {

/// The state of one part for one block, at first as the part says: arrays in the block's dtype, and numbers.
template <class T>
struct PartState {
    std::vector<StateSlot> slots;
    std::vector<std::vector<T>> arrays;
    std::vector<T*> pointers;
    std::vector<ScalarSlot> scalarSlots;
    std::vector<double> scalars;

    void declare(const Part& part, Shape shape) {
        slots = part.state(shape);
        for (const StateSlot& slot : slots) arrays.emplace_back(static_cast<std::size_t>(slot.shape.size()));
        for (auto& array : arrays) pointers.push_back(array.data());
        scalarSlots = part.scalars();
        scalars.resize(scalarSlots.size());
        reset();
    }

    /// As declared.
    void reset() {
        for (std::size_t i = 0; i < slots.size(); ++i) {
            std::fill(arrays[i].begin(), arrays[i].end(), static_cast<T>(slots[i].initial));
            std::transform(slots[i].entries.begin(), slots[i].entries.end(), arrays[i].begin(),
                           [](double x) { return static_cast<T>(x); });
        }
        for (std::size_t i = 0; i < scalars.size(); ++i) scalars[i] = scalarSlots[i].initial;
    }
};

}  // namespace schattor
