#pragma once

#include <pybind11/numpy.h>

#include <stdexcept>
#include <string>

#include "base/kernels.h"
#include "base/types.h"

namespace schattor {

/// An array of exactly this dtype; pybind11 neither converts nor copies it.
template <class T>
using Array = pybind11::array_t<T, 0>;

inline bool isPlain(const pybind11::array& a) {
    namespace py = pybind11;
    const int wanted = py::detail::npy_api::NPY_ARRAY_C_CONTIGUOUS_ | py::detail::npy_api::NPY_ARRAY_ALIGNED_;
    return (a.flags() & wanted) == wanted;
}

/// Pointer to a C-contiguous, aligned array that the Python layer has prepared.
template <class T>
const T* input(const Array<T>& a) {
    if (!isPlain(a)) throw std::invalid_argument("internal: array is not C-contiguous and aligned");
    return a.data();
}
template <class T>
T* output(Array<T>& a) {
    if (!isPlain(a)) throw std::invalid_argument("internal: array is not C-contiguous and aligned");
    return a.mutable_data();
}

/// Raises std::invalid_argument if an entry is NaN or infinite.
template <class T>
void requireFinite(Index n, const T* x) {
    const Index count = kernels::countNonFinite(n, x);
    if (count > 0)
        throw std::invalid_argument(std::to_string(count) + " of " + std::to_string(n) +
                                    " entries are not finite");
}

}  // namespace schattor
