#pragma once

#include <pybind11/pybind11.h>

#include <utility>

#include "base/part.h"

namespace schattor {

/// What a part says of itself and of all that it holds, as Python names it. For the base class of a slot.
template <class Class>
void bindFacts(Class& slot) {
    namespace py = pybind11;
    using P = typename Class::type;
    slot.def_property_readonly("reads_weights", [](const P& part) { return part.readsWeights(); });
    slot.def_property_readonly("keeps_state", [](const P& part) { return part.keepsState({2, 2}); });
    slot.def_property_readonly("requires", [](const P& part) {
        static constexpr std::pair<Input, const char*> names[] = {
            {Input::previousGradient, "gradient_at_previous"},
            {Input::activations, "activations"},
            {Input::deltas, "deltas"},
            {Input::perExample, "per_example"}};
        py::list result;
        for (const auto& [input, name] : names)
            if (part.reads().has(input)) result.append(name);
        return py::frozenset(result);
    });
    slot.def_property_readonly("shares", [](const P& part) {
        py::list result;
        if (part.sums() > 0)
            for (const ScalarSlot& scalar : part.scalars()) result.append(scalar.name);
        return py::tuple(result);
    });
}

}  // namespace schattor
