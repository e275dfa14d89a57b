#pragma once

#include "precond/preconditioner.h"

namespace schattor {

/// The sign of each entry, zero at zero.
class Signs final : public Preconditioner {
public:
    void apply(const Context<float>& c, const float* m, float* out) const override { run(c, m, out); }
    void apply(const Context<double>& c, const double* m, double* out) const override { run(c, m, out); }
    bool ownElementwise() const override { return true; }

private:
    template <class T>
    static void run(const Context<T>& c, const T* m, T* out) {
        kernels::negativeSign(c.size(), m, out);
        kernels::scale(c.size(), -1.0, out, out);
    }
};

}  // namespace schattor
