#pragma once

#include "update/update.h"

namespace schattor {

/// Hyperball (arXiv 2606.16899): with R = ||W||_F before the first step, W' = W + lr R D / ||D||_F and then
/// W <- R W' / ||W'||_F. The length of the displacement D does not matter.
class Hyperball final : public Update {
public:
    std::vector<ScalarSlot> scalars() const override { return {{"radius"}}; }
    Inputs ownReads() const override { return Input::weights; }
    Moved apply(const Context<float>& c, double factor, const float* d, float* w) const override {
        return run(c, factor, d, w);
    }
    Moved apply(const Context<double>& c, double factor, const double* d, double* w) const override {
        return run(c, factor, d, w);
    }

private:
    template <class T>
    Moved run(const Context<T>&, double factor, const T* d, T* w) const;
};

}  // namespace schattor
