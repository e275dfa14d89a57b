#include <pybind11/stl.h>

#include "base/blas_threads.h"
#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "linalg/spectral_norm.h"
#include "linalg/svd.h"

namespace py = pybind11;

namespace schattor {
namespace {

const char* methodName(SpectralMethod method) {
    switch (method) {
        case SpectralMethod::closedForm:
            return "closed_form";
        case SpectralMethod::trace:
            return "trace";
        case SpectralMethod::cholesky:
            return "cholesky";
        case SpectralMethod::svd:
            return "svd";
    }
    return "svd";
}

/// (value, lower, upper, method, iterations, fallbacks, certified); `vector` is the start and gets the result.
template <class T>
py::tuple spectralNormOf(const Array<T>& array, Index rows, Index cols, double rtol, bool certify,
                         std::uint64_t seed, bool warm, Array<double> vector) {
    const Shape shape{rows, cols};
    const T* a = input(array);
    double* v = output(vector);
    checkSvdShape(shape);
    requireFinite(shape.size(), a);
    SpectralNorm r;
    {
        const py::gil_scoped_release nogil;
        const SingleThreadedBlas single(shape.smaller() < threadedBlasFrom);
        Arena arena(spectralNormScratch(shape, dtypeOf<T>));
        r = spectralNorm(shape, a, {rtol, certify, seed, warm ? v : nullptr}, v, arena);
    }
    const auto full = [&](double x) { return std::ldexp(x, r.exponent); };
    return py::make_tuple(full(r.value), full(r.lower), full(r.upper), methodName(r.method), r.iterations,
                          r.fallbacks, r.certified);
}

template <class T>
void bindFor(py::module_& m) {
    m.def("spectral_norm", &spectralNormOf<T>, py::arg("a").noconvert(), py::arg("rows"), py::arg("cols"),
          py::arg("rtol"), py::arg("certify"), py::arg("seed"), py::arg("warm"),
          py::arg("vector").noconvert());
}

}  // namespace

void bindPartial(py::module_& m) {
    bindFor<float>(m);
    bindFor<double>(m);
}

}  // namespace schattor
