#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "transform/l2_decay.h"

namespace py = pybind11;

namespace schattor {

void bindTransform(py::module_& m) {
    py::class_<Value>(m, "Value").def(py::init<double>()).def_static("from_slot", &Value::fromSlot);

    py::class_<Transform, std::shared_ptr<Transform>>(m, "Transform");
    py::class_<L2Decay, Transform, std::shared_ptr<L2Decay>>(m, "L2Decay").def(py::init<Value>());
}

}  // namespace schattor
