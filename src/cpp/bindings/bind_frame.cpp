#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "frame/partner_metric.h"
#include "frame/random_range.h"

namespace py = pybind11;

namespace schattor {

void bindFrame(py::module_& m) {
    py::class_<Frame, std::shared_ptr<Frame>>(m, "Frame");
    py::class_<RandomRange, Frame, std::shared_ptr<RandomRange>>(m, "RandomRange")
        .def(py::init<Index, std::uint64_t>());
    py::class_<PartnerMetric, Frame, std::shared_ptr<PartnerMetric>>(m, "PartnerMetric")
        .def(py::init<bool, double>());
}

}  // namespace schattor
