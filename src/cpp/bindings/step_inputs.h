#pragma once

#include <pybind11/numpy.h>

#include <optional>
#include <span>
#include <vector>

#include "plan/plan.h"

namespace schattor {

/// How an extra comes from Python: its name there, and where its array goes.
struct ExtraInput {
    const char* name;
    Extra extra;
    void (*take)(const pybind11::array&, Extras<void>&);
};
std::span<const ExtraInput> extraInputs();

/// What Python gives a step, as pointers. It keeps the parameter arrays alive.
class StepInputs {
public:
    void addBlock(pybind11::array weights);

    /// The inputs of a step, one for each block of the plan. `targets` is none where the weights themselves
    /// are moved, `point` where the step is taken at them. Extras are dicts of arrays by name, which the
    /// Python layer has checked: dtype, shape, C-contiguous.
    std::span<BlockIo> gather(const Plan&, const pybind11::list& gradients,
                              const std::optional<pybind11::list>& targets,
                              const std::optional<pybind11::list>& extras,
                              const std::optional<pybind11::list>& point);

private:
    const void* pointer(const Plan&, std::size_t block, const pybind11::handle& gradient);

    std::vector<pybind11::array> weights_;
    std::vector<BlockIo> io_;
    std::vector<std::vector<std::byte>> staged_;  ///< copies of gradients that cannot be read in place
};

}  // namespace schattor
