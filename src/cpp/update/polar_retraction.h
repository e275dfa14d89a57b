#pragma once

#include <memory>

#include "geometry/geometry.h"
#include "update/update.h"

namespace schattor {

/// W <- polar(W + D): back to the Stiefel manifold. Without a displacement W stays as it is.
class PolarRetraction final : public Update {
public:
    explicit PolarRetraction(std::shared_ptr<const Geometry> polar) : polar_(std::move(polar)) {}

    void apply(const Context<float>& c, double factor, const float* d, float* w) const override {
        run(c, factor, d, w);
    }
    void apply(const Context<double>& c, double factor, const double* d, double* w) const override {
        run(c, factor, d, w);
    }
    std::size_t scratch(Shape, Dtype) const override;
    bool readsWeights() const override { return true; }

private:
    template <class T>
    void run(const Context<T>&, double factor, const T* d, T* w) const;

    std::shared_ptr<const Geometry> polar_;
};

}  // namespace schattor
