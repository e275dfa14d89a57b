#pragma once

#include <vector>

#include "base/part.h"

namespace schattor {

/// The state arrays of one part for one block, at first as the part says.
template <class T>
struct PartState {
    std::vector<StateSlot> slots;
    std::vector<std::vector<T>> arrays;
    std::vector<T*> pointers;

    void declare(const Part& part, Shape shape) {
        slots = part.state(shape);
        for (const StateSlot& slot : slots)
            arrays.emplace_back(static_cast<std::size_t>(slot.shape.size()), static_cast<T>(slot.initial));
        for (auto& array : arrays) pointers.push_back(array.data());
    }
};

}  // namespace schattor
