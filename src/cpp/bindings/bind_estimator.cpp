#include <pybind11/stl.h>

#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "bindings/running.h"

namespace py = pybind11;

namespace schattor {
namespace {

template <class T>
void bindRunning(py::module_& m, const char* name) {
    using Running = RunningEstimator<T>;
    py::class_<Running>(m, name)
        .def(py::init([](std::shared_ptr<Estimator> estimator, Index rows, Index cols) {
                 return Running(std::move(estimator), Shape{rows, cols});
             }),
             py::arg("estimator"), py::arg("rows"), py::arg("cols"))
        .def_readwrite("count", &Running::count)
        .def(
            "update",
            [](Running& running, const std::vector<double>& slots, const Array<T>& g, Array<T> out) {
                requireFinite(g.size(), input(g));
                running.update(slots, input(g), output(out));
            },
            py::arg("slots"), py::arg("g").noconvert(), py::arg("out").noconvert())
        .def("state", [](py::object self) {
            auto& state = self.cast<Running&>().state();
            py::dict result;
            for (std::size_t i = 0; i < state.slots.size(); ++i)
                result[py::str(state.slots[i].name)] = py::array_t<T>(
                    {state.slots[i].shape.rows, state.slots[i].shape.cols}, state.pointers[i], self);
            for (std::size_t i = 0; i < state.scalarSlots.size(); ++i)
                result[py::str(state.scalarSlots[i].name)] = py::array_t<double>(1, &state.scalars[i], self);
            return result;
        });
}

}  // namespace

void bindEstimator(py::module_& m) {
    bindRunning<float>(m, "RunningEstimatorFloat32");
    bindRunning<double>(m, "RunningEstimatorFloat64");
}

}  // namespace schattor
