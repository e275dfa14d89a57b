#pragma once

#include <memory>

#include "geometry/geometry.h"
#include "linalg/line_lengths.h"
#include "precond/preconditioner.h"

namespace schattor {

/// Aurora (arXiv 2606.27715), but for its last polar factor, which the oracle takes: out = diag(D) M for a
/// tall M, with D_i = 1 / ||M_i|| and then, in passes - 1 passes, U = polar(diag(D) M) and
///     D_i <- D_i ((n / m) / ||U_i||^2)^beta.
/// For a wide M the same with columns; a square one stays as it is.
class LeverageEquilibration final : public Preconditioner {
public:
    LeverageEquilibration(std::shared_ptr<const Geometry> polar, int passes, double beta)
        : polar_(std::move(polar)), passes_(passes), beta_(beta) {}

    void apply(const Context<float>& c, const float* m, float* out) const override { run(c, m, out); }
    void apply(const Context<double>& c, const double* m, double* out) const override { run(c, m, out); }
    std::vector<Child> children(Shape s) const override { return {{polar_.get(), s}}; }

private:
    template <class T>
    void run(const Context<T>&, const T* m, T* out) const;

    std::shared_ptr<const Geometry> polar_;
    int passes_;
    double beta_;
};

}  // namespace schattor
