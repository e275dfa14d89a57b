#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "transform/inverse_input_moment.h"
#include "transform/l2_decay.h"

namespace py = pybind11;

namespace schattor {

void bindTransform(py::module_& m) {
    py::class_<Value>(m, "Value").def(py::init<double>()).def_static("from_slot", &Value::fromSlot);

    py::class_<Transform, std::shared_ptr<Transform>>(m, "Transform");
    py::class_<L2Decay, Transform, std::shared_ptr<L2Decay>>(m, "L2Decay").def(py::init<Value>());
    py::class_<InverseInputMoment, Transform, std::shared_ptr<InverseInputMoment>>(m, "InverseInputMoment")
        .def(py::init<double, double, double, double, std::int64_t, Index, Index, bool>());
}

}  // namespace schattor
