#include "base/blas_threads.h"
#include "base/pool.h"
#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "bindings/info_row.h"
#include "plan/batch.h"

namespace py = pybind11;

namespace schattor {
namespace {

/// Fills `out`; returns the rows of Geometry.oracle, one for each matrix, or none of them unless `measure`.
template <class T>
py::list batch(const Geometry& geometry, const Array<T>& array, Index rows, Index cols, int threads,
               bool measure, Array<T> out) {
    const Shape shape{rows, cols};
    const T* g = input(array);
    T* d = output(out);
    geometry.check(shape);
    std::vector<OracleResult> results(static_cast<std::size_t>(array.size() / shape.size()));
    Index notFinite = 0;
    {
        const py::gil_scoped_release nogil;
        notFinite = batchedBall<T>(geometry, shape, results, g, d, threads, measure);
    }
    if (notFinite > 0) requireFinite(array.size(), g);  // raises
    py::list list;
    if (measure)
        for (const OracleResult& r : results) list.append(infoRow(r));
    return list;
}

template <class T>
void define(py::module_& m) {
    m.def("batched_oracle", &batch<T>, py::arg("geometry"), py::arg("g").noconvert(), py::arg("rows"),
          py::arg("cols"), py::arg("threads"), py::arg("measure"), py::arg("out").noconvert());
}

}  // namespace

void bindBatch(py::module_& m) {
    define<float>(m);
    define<double>(m);
    m.def("pool_helpers", &Pool::helpers);
    m.def("default_threads", &defaultThreads);
}

}  // namespace schattor
