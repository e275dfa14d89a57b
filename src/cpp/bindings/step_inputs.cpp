#include "bindings/step_inputs.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "bindings/arrays.h"

namespace py = pybind11;

namespace schattor {
namespace {

Samples<void> samples(const py::array& a) { return {a.data(), a.shape(0)}; }

constexpr std::array inputs = {
    ExtraInput{"gradient_at_previous", Extra::gradientAtPrevious,
               [](const py::array& a, Extras<void>& extras) { extras.previous = a.data(); }},
    ExtraInput{"activations", Extra::activations,
               [](const py::array& a, Extras<void>& extras) { extras.activations = samples(a); }},
    ExtraInput{"deltas", Extra::deltas,
               [](const py::array& a, Extras<void>& extras) { extras.deltas = samples(a); }},
    ExtraInput{"per_example", Extra::perExample,
               [](const py::array& a, Extras<void>& extras) { extras.perExample = samples(a); }},
};

Extras<void> extrasOf(const py::dict& given) {
    Extras<void> extras;
    for (const ExtraInput& input : inputs)
        if (given.contains(input.name)) input.take(given[input.name].cast<py::array>(), extras);
    return extras;
}

std::string shapeText(const py::array& a) { return py::str(py::tuple(a.attr("shape"))); }

/// Copies an array of any strides and alignment into contiguous memory.
void copyStrided(const py::array& from, std::byte* to) {
    const auto item = static_cast<std::size_t>(from.itemsize());
    const auto dims = static_cast<std::size_t>(from.ndim());
    std::vector<py::ssize_t> index(dims, 0);
    const auto* at = static_cast<const std::byte*>(from.data());
    for (py::ssize_t left = from.size(); left > 0; --left) {
        std::memcpy(to, at, item);
        to += item;
        for (std::size_t d = dims; d-- > 0;) {
            at += from.strides(static_cast<py::ssize_t>(d));
            if (++index[d] < from.shape(static_cast<py::ssize_t>(d))) break;
            at -= index[d] * from.strides(static_cast<py::ssize_t>(d));
            index[d] = 0;
        }
    }
}

}  // namespace

std::span<const ExtraInput> extraInputs() { return inputs; }

void StepInputs::addBlock(py::array weights) {
    weights_.push_back(std::move(weights));
    io_.emplace_back();
    staged_.emplace_back();
}

std::span<BlockIo> StepInputs::gather(const Plan& plan, const py::list& gradients,
                                      const std::optional<py::list>& targets,
                                      const std::optional<py::list>& extras,
                                      const std::optional<py::list>& point) {
    for (std::size_t i = 0; i < io_.size(); ++i) {
        io_[i].gradient = pointer(plan, i, gradients[i]);
        io_[i].extras = extras ? extrasOf((*extras)[i].cast<py::dict>()) : Extras<void>{};
        io_[i].point = point ? (*point)[i].cast<py::array>().data() : nullptr;
        io_[i].target = targets ? (*targets)[i].cast<py::array>().mutable_data() : weights_[i].mutable_data();
    }
    return io_;
}

const void* StepInputs::pointer(const Plan& plan, std::size_t block, const py::handle& gradient) {
    if (gradient.is_none()) return nullptr;
    const std::string& name = plan.blocks[block]->name;
    const py::array& w = weights_[block];
    // NumPy's arithmetic turns 0-D arrays into scalars.
    const bool scalar =
        w.ndim() == 0 && py::isinstance(gradient, py::module_::import("numpy").attr("generic"));
    if (!scalar && !py::isinstance<py::array>(gradient))
        throw py::type_error("gradient of block '" + name + "' must be a NumPy array or None, got " +
                             std::string(py::str(py::type::of(gradient).attr("__name__"))));
    if (!scalar && Py_TYPE(gradient.ptr()) != py::detail::npy_api::get().PyArray_Type_ &&
        py::hasattr(gradient, "mask"))
        throw py::type_error("gradient of block '" + name +
                             "' must be a plain array, got a masked one; fill it, for example with "
                             "gradient.filled(0.0)");
    const auto g = scalar ? py::array::ensure(gradient) : py::reinterpret_borrow<py::array>(gradient);
    if (!g.dtype().equal(w.dtype()))
        throw py::type_error("gradient of block '" + name + "' must have the parameter's dtype " +
                             std::string(py::str(w.dtype())) + ", got " + std::string(py::str(g.dtype())));
    if (g.ndim() != w.ndim() || !std::equal(g.shape(), g.shape() + g.ndim(), w.shape()))
        throw py::value_error("gradient of block '" + name + "' must have the parameter's shape " +
                              shapeText(w) + ", got " + shapeText(g));
    static const std::byte empty{};
    if (g.size() == 0) return &empty;
    if (isPlain(g) && !scalar) {
        const auto* begin = static_cast<const std::byte*>(g.data());
        if (!plan.mustCopy(block, begin, begin + g.nbytes())) return begin;
    }
    staged_[block].resize(static_cast<std::size_t>(g.nbytes()));
    copyStrided(g, staged_[block].data());
    return staged_[block].data();
}

}  // namespace schattor
