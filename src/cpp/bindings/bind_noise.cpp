#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "linalg/blas_threads.h"
#include "noise/second_moment.h"

namespace py = pybind11;

namespace schattor {
namespace {

SecondMoment makeMoment(const std::string& form, Index rows, Index cols, Index rank) {
    const Form kind = form == "full" ? Form::full : form == "diagonal" ? Form::diagonal : Form::sketch;
    return {kind, {rows, cols}, rank};
}

/// The rows of an array whose first axis has one entry for each of `count`, or one for all.
template <class T, class Pointer>
Rows<T> rowsOf(const py::array& array, Pointer data) {
    const auto rows = array.shape(0);
    return {data, rows == 1 ? 0 : static_cast<Index>(array.size() / rows)};
}

template <class T, class Class>
void bindFor(Class& c) {
    c.def(
        "largest",
        [](const SecondMoment&, const Array<T>& x) {
            return kernels::maxAbs(static_cast<Index>(x.size()), input(x));
        },
        py::arg("x").noconvert());
    c.def(
        "add_deviations",
        [](const SecondMoment& moment, const Array<T>& x, const Array<double>& centres, double weight,
           const Array<double>& test, Array<double> sums, Array<double> traces) {
            const T* data = input(x);
            const auto centre = rowsOf<const double>(centres, input(centres));
            const auto sum = rowsOf<double>(sums, output(sums));
            const auto trace = rowsOf<double>(traces, output(traces));
            const double* omega = input(test);
            const py::gil_scoped_release nogil;
            const SingleThreadedBlas single(moment.shape.smaller() < threadedBlasFrom);
            Arena arena(likelyScratch(moment.shape));
            addDeviations(moment, static_cast<Index>(x.size()) / moment.shape.size(), data, centre, weight,
                          omega, sum, trace, arena);
        },
        py::arg("x").noconvert(), py::arg("centres").noconvert(), py::arg("weight"),
        py::arg("test").noconvert(), py::arg("sums").noconvert(), py::arg("traces").noconvert());
    c.def(
        "add_difference",
        [](const SecondMoment& moment, double keep, double weight, const Array<T>& x, const Array<T>& y,
           const Array<T>& test, Array<T> difference, Array<T> work, Array<T> sum) {
            const T *a = input(x), *b = input(y), *omega = input(test);
            T *d = output(difference), *room = output(work), *total = output(sum);
            const py::gil_scoped_release nogil;
            const SingleThreadedBlas single;  // short beside a step: a second thread costs more in waiting
            return addDifference(moment, keep, weight, a, b, omega, d, room, total);
        },
        py::arg("keep"), py::arg("weight"), py::arg("x").noconvert(), py::arg("y").noconvert(),
        py::arg("test").noconvert(), py::arg("difference").noconvert(), py::arg("work").noconvert(),
        py::arg("sum").noconvert());
}

}  // namespace

void bindNoise(py::module_& m) {
    py::class_<SecondMoment> c(m, "SecondMoment");
    c.def(py::init(&makeMoment), py::arg("form"), py::arg("rows"), py::arg("cols"), py::arg("rank"));
    c.def_property_readonly("entries", &SecondMoment::entries);
    c.def_property_readonly("workspace", &SecondMoment::workspace);
    bindFor<float>(c);
    bindFor<double>(c);
}

}  // namespace schattor
