#pragma once

#include <algorithm>
#include <cmath>

#include "base/kernels.h"
#include "update/update.h"

namespace schattor {

/// W <- s W + D / s with s = sqrt(1 - lr weight_decay), not below zero, for a factor W of a product
/// (LoRA-Muon, arXiv 2606.12921): the product of two such factors decays by 1 - lr weight_decay and moves, to
/// first order, as without decay. At s = 0 nothing can be divided: W becomes D.
class ProductDecay final : public Update {
public:
    explicit ProductDecay(Value weightDecay) : weightDecay_(weightDecay) {}

    Moved apply(const Context<float>& c, double factor, const float* d, float* w) const override {
        return run(c, factor, d, w);
    }
    Moved apply(const Context<double>& c, double factor, const double* d, double* w) const override {
        return run(c, factor, d, w);
    }
    bool ownElementwise() const override { return true; }

private:
    template <class T>
    Moved run(const Context<T>& c, double factor, const T* d, T* w) const {
        const double s = std::sqrt(std::max(0.0, 1.0 - c.lr * c(weightDecay_)));
        kernels::combine(c.size(), s, w, s > 0.0 ? factor / s : factor, d, w);
        return {s > 0.0 ? 1.0 / s : 1.0};
    }

    Value weightDecay_;
};

}  // namespace schattor
