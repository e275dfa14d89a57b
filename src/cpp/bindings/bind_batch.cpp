#include <pybind11/stl.h>

#include <optional>

#include "base/pool.h"
#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "linalg/blas_threads.h"
#include "plan/batch.h"

namespace py = pybind11;

namespace schattor {
namespace {

/// Fills `out`; returns the results, one for each matrix, or none of them unless `measure`.
template <class T>
std::vector<OracleResult> batch(const Geometry& geometry, const Array<T>& array, Index rows, Index cols,
                                std::optional<int> threads, bool measure, Array<T> out) {
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
    if (!measure) results.clear();
    return results;
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
