#pragma once

#include "update/update.h"

namespace schattor {

/// none: W + D. decoupled: (1 - lr wd) W + D. independent: (1 - wd) W + D. cautious: decoupled,
/// only in the entries that the displacement D moves towards zero.
enum class Decay { none, decoupled, independent, cautious };

class Additive final : public Update {
public:
    Additive(Decay decay, Value weightDecay) : decay_(decay), weightDecay_(weightDecay) {}

    void apply(const Context<float>&, double factor, const float* d, float* w) const override;
    void apply(const Context<double>&, double factor, const double* d, double* w) const override;

private:
    template <class T>
    void run(const Context<T>&, double factor, const T* d, T* w) const;

    Decay decay_;
    Value weightDecay_;
};

}  // namespace schattor
