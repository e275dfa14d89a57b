#pragma once

#include <memory>

#include "update/update.h"

namespace schattor {

/// Schedule-free averaging round another update (arXiv 2405.15682). The weights hold y, where gradients are
/// taken; with the inner displacement D of y
///     z <- z + D,  x <- (1 - c) x + c z,  y <- beta x + (1 - beta) z,
/// c_t = w_t / sum_s w_s, w_t = t^r lr_max^p with the largest learning rate so far. x, which is (y - (1 -
/// beta) z) / beta, is not stored; y moves by
///     y <- y + c (z_old - y) + (1 - beta (1 - c)) D.
class ScheduleFree final : public Update {
public:
    ScheduleFree(std::shared_ptr<const Update> inner, double beta, double r, double power)
        : inner_(std::move(inner)), beta_(beta), r_(r), power_(power) {
        if (!inner_->isLinear())
            throw std::invalid_argument(name() + " cannot hold " + inner_->name() +
                                        ", which does not move weights W to c W + D with one number c");
    }

    std::vector<StateSlot> state(Shape s) const override { return {{"base", s}}; }
    std::vector<Child> children(Shape s) const override { return {{inner_.get(), s, "inner_"}}; }
    std::vector<ScalarSlot> scalars() const override { return {{"sum_of_weights"}, {"largest_lr"}}; }
    Moved apply(const Context<float>& c, double factor, const float* d, float* w) const override {
        return run(c, factor, d, w);
    }
    Moved apply(const Context<double>& c, double factor, const double* d, double* w) const override {
        return run(c, factor, d, w);
    }

private:
    template <class T>
    Moved run(const Context<T>&, double factor, const T* d, T* w) const;

    std::shared_ptr<const Update> inner_;
    double beta_, r_, power_;
};

}  // namespace schattor
