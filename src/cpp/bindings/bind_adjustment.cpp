#include <pybind11/stl.h>

#include "adjustment/adjustment.h"
#include "adjustment/line_normalization.h"
#include "bindings/bind.h"

namespace py = pybind11;

namespace schattor {

void bindAdjustment(py::module_& m) {
    py::class_<Adjustment, std::shared_ptr<Adjustment>>(m, "Adjustment");
    py::class_<LineNormalization, Adjustment, std::shared_ptr<LineNormalization>>(m, "LineNormalization")
        .def(py::init([](const std::vector<bool>& columns, double eps) {
            std::vector<Lines> order;
            for (const bool column : columns) order.push_back(column ? Lines::columns : Lines::rows);
            return std::make_shared<LineNormalization>(order, eps);
        }));
}

}  // namespace schattor
