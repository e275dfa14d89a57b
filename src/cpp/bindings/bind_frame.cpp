#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "frame/frame.h"

namespace py = pybind11;

namespace schattor {

void bindFrame(py::module_& m) { py::class_<Frame, std::shared_ptr<Frame>>(m, "Frame"); }

}  // namespace schattor
