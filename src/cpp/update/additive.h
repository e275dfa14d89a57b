#pragma once

#include "update/update.h"

namespace schattor {

/// none: W + D. decoupled: (1 - lr wd) W + D. independent: (1 - wd) W + D. cautious: decoupled,
/// only in the entries that the displacement D moves towards zero. after: (1 - lr wd) (W + D).
enum class Decay { none, decoupled, independent, cautious, after };

class Additive final : public Update {
public:
    Additive(Decay decay, Value weightDecay) : decay_(decay), weightDecay_(weightDecay) {}

    Moved apply(const Context<float>&, double factor, const float* d, float* w) const override;
    Moved apply(const Context<double>&, double factor, const double* d, double* w) const override;
    bool ownElementwise() const override { return true; }
    std::optional<double> keep(std::span<const double> slots, double lr) const override {
        return isLinear() ? std::optional(share(slots, lr)) : std::nullopt;
    }
    bool isLinear() const override { return decay_ != Decay::cautious && decay_ != Decay::after; }

private:
    double share(std::span<const double> slots, double lr) const {
        const double rate = weightDecay_.at(slots);
        return decay_ == Decay::none ? 1.0 : 1.0 - (decay_ == Decay::independent ? rate : lr * rate);
    }

    template <class T>
    Moved run(const Context<T>&, double factor, const T* d, T* w) const;

    Decay decay_;
    Value weightDecay_;
};

}  // namespace schattor
