#pragma once

#include <algorithm>
#include <memory>

#include "base/kernels.h"
#include "update/displacement.h"
#include "update/update.h"

namespace schattor {

/// Implicit gradient transport (NIGT, arXiv 2002.03305) round another update, which moves the iterate x. The
/// weights hold x + b / (1 - b) (x - x_before), where the next gradient is wanted.
class Extrapolated final : public Update {
public:
    Extrapolated(std::shared_ptr<const Update> inner, Value momentum)
        : inner_(std::move(inner)), momentum_(momentum) {
        requireDisplaced(*inner_);
    }

    std::vector<StateSlot> state(Shape s) const override { return {{"iterate", s}}; }
    /// The other one moves the iterate, between steps in which the weights stand for it.
    std::vector<Child> children(Shape s) const override { return {{inner_.get(), s, "inner_"}}; }
    Moved apply(const Context<float>& c, double factor, const float* d, float* w) const override {
        return run(c, factor, d, w);
    }
    Moved apply(const Context<double>& c, double factor, const double* d, double* w) const override {
        return run(c, factor, d, w);
    }

private:
    template <class T>
    Moved run(const Context<T>& c, double factor, const T* d, T* w) const {
        T* x = c.state[0];
        Displacement<T> displacement(c, w);
        if (c.count == 0) std::copy(w, w + c.size(), x);
        std::copy(x, x + c.size(), w);  // from here on w is x_before
        Context<T> own = c.child(0);
        own.weights = w;
        inner_->apply(own, factor, d, x);
        const double b = c(momentum_);
        kernels::extrapolate(c.size(), b / (1.0 - b), x, w, w);
        return {.norm = displacement.norm(w)};
    }

    std::shared_ptr<const Update> inner_;
    Value momentum_;
};

}  // namespace schattor
