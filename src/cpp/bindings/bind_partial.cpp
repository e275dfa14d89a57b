#include <pybind11/stl.h>

#include <optional>

#include "bindings/arrays.h"
#include "bindings/bind.h"
#include "bindings/named.h"
#include "geometry/ky_fan.h"
#include "linalg/blas_threads.h"
#include "linalg/spectral_norm.h"
#include "linalg/subspace.h"
#include "linalg/svd.h"

namespace py = pybind11;

namespace schattor {
namespace {

/// `vector` is the start where `warm`, and gets the result.
template <class T>
SpectralNorm spectralNormOf(const Array<T>& array, Index rows, Index cols, std::optional<double> rtol,
                            bool certify, bool warm, Array<double> vector) {
    const Shape shape{rows, cols};
    const T* a = input(array);
    double* v = output(vector);
    checkSvdShape(shape);
    requireFinite(shape.size(), a);
    const py::gil_scoped_release nogil;
    const SingleThreadedBlas single(shape.smaller() < threadedBlasFrom);
    Arena arena(likelyScratch(shape));
    return spectralNorm(shape, a, {.rtol = rtol, .certify = certify, .start = warm ? v : nullptr}, v, arena);
}

/// The start in `warm` (a k0 x n array) is optional. Writes left (k x m), sigma (k) and right (k x n).
template <class T>
TopSingular topSingularOf(const Array<T>& array, Index rows, Index cols, double rtol, bool certify,
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
    r.left = r.right = r.sigma = nullptr;  // they lie in the arena
    return r;
}

template <class T>
void bindFor(py::module_& m) {
    m.def("spectral_norm", &spectralNormOf<T>, py::arg("a").noconvert(), py::arg("rows"), py::arg("cols"),
          py::arg("rtol"), py::arg("certify"), py::arg("warm"), py::arg("vector").noconvert());
    m.def("top_singular", &topSingularOf<T>, py::arg("a").noconvert(), py::arg("rows"), py::arg("cols"),
          py::arg("rtol"), py::arg("certify"), py::arg("seed"), py::arg("warm"), py::arg("left").noconvert(),
          py::arg("sigma").noconvert(), py::arg("right").noconvert());
}

}  // namespace

void bindPartial(py::module_& m) {
    bindFor<float>(m);
    bindFor<double>(m);
    py::class_<KyFan, Geometry, std::shared_ptr<KyFan>>(m, "KyFan")
        .def(py::init([](Index k, const std::string& route, std::optional<double> rtol, std::uint64_t seed) {
                 using Route = KyFan::Route;
                 const auto kind = named<Route>("backend of KyFan", route,
                                                {{"svd", Route::svd}, {"subspace", Route::subspace}});
                 return std::make_shared<KyFan>(k, kind, rtol, seed);
             }),
             py::arg("k"), py::arg("route"), py::arg("rtol"), py::arg("seed"));
}

}  // namespace schattor
