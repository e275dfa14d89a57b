#include <pybind11/stl.h>

#include "bindings/bind.h"
#include "bindings/named.h"
#include "transform/clip_norm.h"
#include "transform/inverse_input_moment.h"
#include "transform/l2_decay.h"
#include "transform/private_mean.h"
#include "transform/variance_reduction.h"

namespace py = pybind11;

namespace schattor {

void bindTransform(py::module_& m) {
    py::class_<Value>(m, "Value").def(py::init<double>()).def_static("from_slot", &Value::fromSlot);

    py::class_<Transform, std::shared_ptr<Transform>>(m, "Transform");
    py::class_<L2Decay, Transform, std::shared_ptr<L2Decay>>(m, "L2Decay").def(py::init<Value>());
    py::class_<VarianceReduction, Transform, std::shared_ptr<VarianceReduction>>(m, "VarianceReduction")
        .def(py::init([](Value gamma, Value momentum, const std::string& reference) {
            const Reference kind =
                named<Reference>("reference", reference,
                                 {{"last", Reference::last}, {"same_samples", Reference::sameSamples}});
            return std::make_shared<VarianceReduction>(gamma, momentum, kind);
        }));
    py::class_<ClipNorm, Transform, std::shared_ptr<ClipNorm>>(m, "ClipNorm").def(py::init<Value>());
    py::class_<PrivateMean, Transform, std::shared_ptr<PrivateMean>>(m, "PrivateMean")
        .def(py::init<Value, Value, std::uint64_t>());
    py::class_<InverseInputMoment, Transform, std::shared_ptr<InverseInputMoment>>(m, "InverseInputMoment")
        .def(py::init<double, double, double, double, std::int64_t, Index, Index, bool,
                      std::optional<Index>>());
}

}  // namespace schattor
