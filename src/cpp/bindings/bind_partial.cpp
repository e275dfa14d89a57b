#include <pybind11/stl.h>

#include <optional>

#include "base/blas_threads.h"
#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "geometry/ky_fan.h"
#include "linalg/spectral_norm.h"
#include "linalg/subspace.h"
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

/// (value, lower, upper, method, iterations, fallbacks, certified); `vector` is the start and gets the
/// result.
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
        Arena arena(likelyScratch(shape));
        r = spectralNorm(shape, a, {rtol, certify, seed, warm ? v : nullptr}, v, arena);
    }
    const auto full = [&](double x) { return std::ldexp(x, r.exponent); };
    return py::make_tuple(full(r.value), full(r.lower), full(r.upper), methodName(r.method), r.iterations,
                          r.fallbacks, r.certified);
}

/// The start in `warm` (a k0 x n array) is optional. Returns (residual, lower, upper, method, iterations,
/// fallbacks, converged, certified) and writes left (k x m), sigma (k) and right (k x n).
template <class T>
py::tuple topSingularOf(const Array<T>& array, Index rows, Index cols, double rtol, bool certify,
                        std::uint64_t seed, const std::optional<Array<double>>& warm, Array<T> left,
                        Array<T> sigma, Array<T> right) {
    const Shape shape{rows, cols};
    const T* a = input(array);
    T *u = output(left), *s = output(sigma), *v = output(right);
    const Index k = sigma.size();
    checkSvdShape(shape);
    requireFinite(shape.size(), a);
    SubspaceOptions options{rtol, certify, seed, nullptr, 0};
    if (warm) {
        options.start = input(*warm);
        options.started = warm->shape(0);
    }
    TopSingular r;
    {
        const py::gil_scoped_release nogil;
        const SingleThreadedBlas single(shape.smaller() < threadedBlasFrom);
        Arena arena(likelyScratch(shape));
        r = topSingular(shape, a, k, options, arena);
        kernels::scaleByPowerOfTwo(k, r.exponent, r.sigma, r.sigma);
        std::copy_n(r.left, k * rows, u);
        std::copy_n(r.sigma, k, s);
        std::copy_n(r.right, k * cols, v);
    }
    return py::make_tuple(r.residual, std::ldexp(r.lower, r.exponent), std::ldexp(r.upper, r.exponent),
                          r.dense ? "svd" : "subspace", r.iterations, r.fallbacks, r.converged, r.certified);
}

template <class T>
void bindFor(py::module_& m) {
    m.def("spectral_norm", &spectralNormOf<T>, py::arg("a").noconvert(), py::arg("rows"), py::arg("cols"),
          py::arg("rtol"), py::arg("certify"), py::arg("seed"), py::arg("warm"),
          py::arg("vector").noconvert());
    m.def("top_singular", &topSingularOf<T>, py::arg("a").noconvert(), py::arg("rows"), py::arg("cols"),
          py::arg("rtol"), py::arg("certify"), py::arg("seed"), py::arg("warm"), py::arg("left").noconvert(),
          py::arg("sigma").noconvert(), py::arg("right").noconvert());
}

}  // namespace

void bindPartial(py::module_& m) {
    bindFor<float>(m);
    bindFor<double>(m);
    py::class_<KyFan, Geometry, std::shared_ptr<KyFan>>(m, "KyFan")
        .def(py::init([](Index k, const std::string& route, double rtol, std::uint64_t seed) {
            const auto kind = route == "subspace" ? KyFan::Route::subspace : KyFan::Route::svd;
            return std::make_shared<KyFan>(k, kind, rtol, seed);
        }));
}

}  // namespace schattor
