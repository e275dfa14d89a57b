#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "bindings/facts.h"
#include "bindings/named.h"
#include "frame/eigenbasis.h"
#include "frame/partner_metric.h"
#include "frame/random_range.h"

namespace py = pybind11;

namespace schattor {

namespace {

template <class F>
void bindEigenbasis(py::module_& m, const char* name) {
    py::class_<F, Frame, std::shared_ptr<F>>(m, name).def(
        py::init([](bool left, bool right, Value beta, std::int64_t frequency, const std::string& following) {
            const Following kind = named<Following>(
                "following", following,
                {{"eigenvectors", Following::eigenvectors}, {"power_step", Following::powerStep}});
            return std::make_shared<F>(left, right, beta, frequency, kind);
        }),
        py::arg("left"), py::arg("right"), py::arg("beta"), py::arg("frequency"), py::arg("following"));
}

}  // namespace

void bindFrame(py::module_& m) {
    py::class_<Frame, std::shared_ptr<Frame>> frame(m, "Frame");
    bindFacts(frame);
    bindEigenbasis<Eigenbasis>(m, "Eigenbasis");
    bindEigenbasis<LaggedEigenbasis>(m, "LaggedEigenbasis");
    py::class_<RandomRange, Frame, std::shared_ptr<RandomRange>>(m, "RandomRange")
        .def(py::init<Index, std::uint64_t>(), py::arg("rank"), py::arg("seed"));
    py::class_<PartnerMetric, Frame, std::shared_ptr<PartnerMetric>>(m, "PartnerMetric")
        .def(py::init<bool, double>(), py::arg("left"), py::arg("eps"));
}

}  // namespace schattor
