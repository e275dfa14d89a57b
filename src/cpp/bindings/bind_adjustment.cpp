#include <pybind11/stl.h>

#include "adjustment/decay_in_direction.h"
#include "adjustment/entry_moment.h"
#include "adjustment/line_moment.h"
#include "adjustment/line_normalization.h"
#include "adjustment/rescaled.h"
#include "bindings/bind.h"
#include "bindings/facts.h"
#include "bindings/named.h"

namespace py = pybind11;

namespace schattor {

void bindAdjustment(py::module_& m) {
    py::class_<Adjustment, std::shared_ptr<Adjustment>> adjustment(m, "Adjustment");
    bindFacts(adjustment);
    py::class_<LineNormalization, Adjustment, std::shared_ptr<LineNormalization>>(m, "LineNormalization")
        .def(py::init([](const std::vector<bool>& columns, double eps) {
                 std::vector<Lines> order;
                 for (const bool column : columns) order.push_back(linesOf(column));
                 return std::make_shared<LineNormalization>(order, eps);
             }),
             py::arg("columns"), py::arg("eps"));
    py::class_<LineMoment, Adjustment, std::shared_ptr<LineMoment>>(m, "LineMoment")
        .def(py::init([](bool columns, Value beta, double eps) {
                 return std::make_shared<LineMoment>(linesOf(columns), beta, eps);
             }),
             py::arg("columns"), py::arg("beta"), py::arg("eps"));
    py::class_<EntryMoment, Adjustment, std::shared_ptr<EntryMoment>>(m, "EntryMoment")
        .def(py::init<Value, Value>(), py::arg("beta"), py::arg("eps"));
    py::class_<OracleLength, Adjustment, std::shared_ptr<OracleLength>>(m, "OracleLength").def(py::init<>());
    py::class_<RootMeanSquare, Adjustment, std::shared_ptr<RootMeanSquare>>(m, "RootMeanSquare")
        .def(py::init<double>(), py::arg("value"));
    py::class_<TrustRatio, Adjustment, std::shared_ptr<TrustRatio>>(m, "TrustRatio")
        .def(py::init<Value, double>(), py::arg("coefficient"), py::arg("limit"));
    py::class_<DecayInDirection, Adjustment, std::shared_ptr<DecayInDirection>>(m, "DecayInDirection")
        .def(py::init<Value>(), py::arg("weight_decay"));
}

}  // namespace schattor
