#pragma once

#include "linalg/line_lengths.h"
#include "precond/preconditioner.h"

namespace schattor {

/// MuonEq (arXiv 2603.28254): each row, or each column, divided by sqrt(length^2 + eps), or the two factors
/// of an entry both taken from the matrix as it is. In the last case the largest entry is brought to one,
/// since the quotient has the unit of an inverse gradient.
class Equilibration final : public Preconditioner {
public:
    enum class Sides { rows, columns, both };

    /// `choice` is the number of one of `sides`, at each step.
    Equilibration(Value choice, std::vector<Sides> sides, double eps)
        : choice_(choice), sides_(std::move(sides)), eps_(eps) {}

    void apply(const Context<float>& c, const float* m, float* out) const override { run(c, m, out); }
    void apply(const Context<double>& c, const double* m, double* out) const override { run(c, m, out); }

private:
    template <class T>
    void run(const Context<T>&, const T* m, T* out) const;
    template <class T>
    void divideByBoth(const Context<T>&, const T* m, T* out) const;

    Value choice_;
    std::vector<Sides> sides_;
    double eps_;
};

}  // namespace schattor
