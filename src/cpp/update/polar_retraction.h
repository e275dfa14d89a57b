#pragma once

#include <memory>

#include "geometry/geometry.h"
#include "update/update.h"

namespace schattor {

/// W <- polar(W + D): back to the Stiefel manifold. Without a displacement W stays as it is.
class PolarRetraction final : public Update {
public:
    explicit PolarRetraction(std::shared_ptr<const Geometry> polar) : polar_(std::move(polar)) {}

    Moved apply(const Context<float>& c, double factor, const float* d, float* w) const override {
        return run(c, factor, d, w);
    }
    Moved apply(const Context<double>& c, double factor, const double* d, double* w) const override {
        return run(c, factor, d, w);
    }
    std::vector<Child> children(Shape s) const override { return {{polar_.get(), s}}; }
    Inputs ownReads() const override { return Input::weights; }

private:
    template <class T>
    Moved run(const Context<T>&, double factor, const T* d, T* w) const;

    std::shared_ptr<const Geometry> polar_;
};

}  // namespace schattor
