#pragma once

#include <Eigen/Core>

#include "base/types.h"

namespace schattor {

template <class T>
using RowMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A row-major array seen as a matrix.
template <class T>
using MatrixView = Eigen::Map<RowMatrix<T>>;
template <class T>
using ConstMatrixView = Eigen::Map<const RowMatrix<T>>;
template <class T>
using VectorView = Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, 1>>;

template <class T>
MatrixView<T> view(T* data, Index rows, Index cols) {
    return {data, rows, cols};
}
template <class T>
ConstMatrixView<T> view(const T* data, Index rows, Index cols) {
    return {data, rows, cols};
}

}  // namespace schattor
