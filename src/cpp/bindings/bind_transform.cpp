#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "bindings/facts.h"
#include "bindings/named.h"
#include "transform/clip_norm.h"
#include "transform/inverse_input_moment.h"
#include "transform/l2_decay.h"
#include "transform/private_mean.h"
#include "transform/variance_reduction.h"

namespace py = pybind11;

namespace schattor {

void bindTransform(py::module_& m) {
    py::class_<Value>(m, "Value")
        .def(py::init<double>(), py::arg("constant"))
        .def_static("from_slot", &Value::fromSlot, py::arg("slot"));

    py::class_<Transform, std::shared_ptr<Transform>> transform(m, "Transform");
    bindFacts(transform);
    py::class_<L2Decay, Transform, std::shared_ptr<L2Decay>>(m, "L2Decay")
        .def(py::init<Value>(), py::arg("weight_decay"));
    py::class_<VarianceReduction, Transform, std::shared_ptr<VarianceReduction>>(m, "VarianceReduction")
        .def(py::init([](Value gamma, Value momentum, const std::string& reference) {
                 const Reference kind =
                     named<Reference>("reference", reference,
                                      {{"last", Reference::last}, {"same_samples", Reference::sameSamples}});
                 return std::make_shared<VarianceReduction>(gamma, momentum, kind);
             }),
             py::arg("gamma"), py::arg("momentum"), py::arg("reference"));
    py::class_<ClipNorm, Transform, std::shared_ptr<ClipNorm>>(m, "ClipNorm")
        .def(py::init<Value>(), py::arg("limit"));
    py::class_<PrivateMean, Transform, std::shared_ptr<PrivateMean>>(m, "PrivateMean")
        .def(py::init<Value, Value, std::uint64_t>(), py::arg("clip"), py::arg("noise_multiplier"),
             py::arg("seed"));
    py::class_<InverseInputMoment, Transform, std::shared_ptr<InverseInputMoment>>(m, "InverseInputMoment")
        .def(py::init<double, double, double, double, std::int64_t, Index, Index, bool,
                      std::optional<Index>>(),
             py::arg("beta"), py::arg("initial"), py::arg("ridge"), py::arg("eps"), py::arg("frequency"),
             py::arg("blocks"), py::arg("inputs"), py::arg("inputs_are_rows"), py::arg("largest"));
}

}  // namespace schattor
