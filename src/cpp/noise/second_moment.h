#pragma once

#include "base/arena.h"
#include "base/types.h"

namespace schattor {

/// How the second moment D D' of a matrix on its smaller side is kept; D is k x n, turned so that it is wide.
enum class Form {
    full,      ///< k x k, the upper triangle of a row-major array
    diagonal,  ///< k numbers
    sketch     ///< D D' Omega, k x rank, for a test matrix Omega
};

/// Weighted sums of second moments. All forms are linear in D D', so one rule adds, averages and takes away.
struct SecondMoment {
    Form form = Form::full;
    Shape shape;
    Index rank = 0;  ///< of a sketch

    /// Entries of a sum.
    Index entries() const;
    /// Room that `add` needs.
    Index workspace() const { return form == Form::sketch ? shape.larger() * rank : 0; }

    /// sum = keep sum + weight D D', weight not 0; the test matrix is k x rank, row-major.
    template <class T>
    void add(double keep, double weight, const T* d, const T* test, T* work, T* sum) const;
};

/// One or several rows of equal length: row j is data + j stride.
template <class T>
struct Rows {
    T* data = nullptr;
    Index stride = 0;  ///< 0: the same one for every j

    T* operator[](Index j) const { return data + j * stride; }
};

/// Adds weight (X_j - C_j)(X_j - C_j)' to sum j and weight ||X_j - C_j||_F^2 to trace j, for j < count, in
/// double.
template <class T>
void addDeviations(const SecondMoment& moment, Index count, const T* x, Rows<const double> centres,
                   double weight, const double* test, Rows<double> sums, Rows<double> traces, Arena& arena);

/// Into sum: keep sum + weight (X - Y)(X - Y)'; returns ||X - Y||_F^2. `difference` is room for a matrix like
/// X.
template <class T>
double addDifference(const SecondMoment& moment, double keep, double weight, const T* x, const T* y,
                     const T* test, T* difference, T* work, T* sum);

}  // namespace schattor
