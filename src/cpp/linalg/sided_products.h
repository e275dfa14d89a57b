#pragma once

#include "base/types.h"

namespace schattor {

/// Products with A and A' between the smaller side of A, of length k, and the larger one.
class SidedProducts {
public:
    virtual ~SidedProducts() = default;
    /// z = A'x on the larger side for x on the smaller one; `count` vectors, one after the other.
    virtual void toLarger(Index count, const double* x, double* z) const = 0;
    virtual void toSmaller(Index count, const double* z, double* x) const = 0;
    /// A bound of the error of either, per unit length of the vector, where ||A||_2 <= `spectral` and
    /// ||A||_F <= `frobenius`.
    virtual double error(double spectral, double frobenius) const = 0;

    Shape shape;

protected:
    bool wide() const { return shape.rows <= shape.cols; }
};

/// One vector at a time, straight from A, with compensated sums or plain ones.
template <class T>
class VectorProducts final : public SidedProducts {
public:
    /// `errors` is room for shape.cols numbers, for compensated sums; null for plain ones.
    VectorProducts(Shape s, const T* a, double* errors) : a_(a), errors_(errors) { shape = s; }
    void toLarger(Index count, const double* x, double* z) const override;
    void toSmaller(Index count, const double* z, double* x) const override;
    double error(double spectral, double frobenius) const override;

private:
    void multiply(bool transposed, const double* x, double* y) const;
    const T* a_;
    double* errors_;
};

/// Blocks of vectors, from A in double: eight at a time in one pass over A, larger blocks by BLAS.
class BlockProducts final : public SidedProducts {
public:
    /// `work` has room for panelRoom(s) numbers.
    BlockProducts(Shape s, const double* a, double* work) : a_(a), work_(work) { shape = s; }
    static Index panelRoom(Shape s) { return 8 * (s.rows + s.cols); }
    void toLarger(Index count, const double* x, double* z) const override;
    void toSmaller(Index count, const double* z, double* x) const override;
    double error(double spectral, double frobenius) const override;

private:
    void multiply(bool transposed, Index count, const double* x, double* y) const;
    void multiplyPanel(bool transposed, Index count, const double* x, double* y) const;
    const double* a_;
    double* work_;
};

}  // namespace schattor
