#include <pybind11/stl.h>

#include "adjustment/adjustment.h"
#include "bindings/bind.h"

namespace py = pybind11;

namespace schattor {

void bindAdjustment(py::module_& m) { py::class_<Adjustment, std::shared_ptr<Adjustment>>(m, "Adjustment"); }

}  // namespace schattor
