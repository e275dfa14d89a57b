#include <pybind11/stl.h>

#include "base/blas_threads.h"
#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "linalg/newton_schulz.h"
#include "linalg/svd.h"

namespace py = pybind11;

namespace schattor {
namespace {

py::list coefficientTable() {
    py::list rows;
    for (const CoefficientSet& set : coefficientSets()) {
        py::tuple steps(set.steps.size());
        for (std::size_t i = 0; i < set.steps.size(); ++i)
            steps[i] = py::make_tuple(set.steps[i][0], set.steps[i][1], set.steps[i][2]);
        rows.append(py::make_tuple(py::str(set.name.data(), set.name.size()), steps, set.defaultSteps,
                                   set.repeatsLast, set.convergent, set.normFactor,
                                   py::str(set.source.data(), set.source.size())));
    }
    return rows;
}

template <class T>
void bindSingularValues(py::module_& m) {
    m.def(
        "singular_values",
        [](const Array<T>& a, Index rows, Index cols, Array<T> out) {
            const Shape shape{rows, cols};
            const T* x = input(a);
            T* sigma = output(out);
            checkSvdShape(shape);
            requireFinite(shape.size(), x);
            const py::gil_scoped_release nogil;
            const SingleThreadedBlas single(shape.smaller() < threadedBlasFrom);
            std::fill(sigma, sigma + shape.smaller(), T(0));
            if (kernels::maxAbs(shape.size(), x) == 0.0) return 0;
            Arena arena(likelyScratch(shape));
            const Svd svd = singularValues(shape, x, arena);
            kernels::scaleByPowerOfTwo(shape.smaller(), svd.exponent, svd.sigma, svd.sigma);
            std::copy(svd.sigma, svd.sigma + shape.smaller(), sigma);
            return svd.fallbacks;
        },
        py::arg("a").noconvert(), py::arg("rows"), py::arg("cols"), py::arg("out").noconvert());
}

}  // namespace

void bindLinalg(py::module_& m) {
    m.def("coefficient_table", &coefficientTable);
    m.def(
        "check_iteration",
        [](const std::string& name, int steps) { return makeIteration(name, steps).steps; },
        py::arg("coefficients"), py::arg("steps"));
    bindSingularValues<float>(m);
    bindSingularValues<double>(m);
}

}  // namespace schattor
