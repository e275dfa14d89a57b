#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "base/value.h"
#include "geometry/geometry.h"

namespace schattor {

/// One geometry out of several, chosen anew in each step: by the number that a scheduled value has there.
class Switched final : public Geometry {
public:
    Switched(Value choice, std::vector<std::shared_ptr<const Geometry>> geometries)
        : choice_(choice), geometries_(std::move(geometries)) {}

    OracleResult ball(const OracleContext& c, Shape s, const float* g, float* d) const override {
        return now(c).ball(c, s, g, d);
    }
    OracleResult ball(const OracleContext& c, Shape s, const double* g, double* d) const override {
        return now(c).ball(c, s, g, d);
    }
    Scaled norm(const OracleContext& c, Shape s, const float* x) const override {
        return now(c).norm(c, s, x);
    }
    Scaled norm(const OracleContext& c, Shape s, const double* x) const override {
        return now(c).norm(c, s, x);
    }
    Scaled dualNorm(const OracleContext& c, Shape s, const float* g) const override {
        return now(c).dualNorm(c, s, g);
    }
    Scaled dualNorm(const OracleContext& c, Shape s, const double* g) const override {
        return now(c).dualNorm(c, s, g);
    }

    std::vector<Child> children(Shape s) const override {
        std::vector<Child> result;
        for (const auto& geometry : geometries_) result.push_back({geometry.get(), s});
        return result;
    }
    double dualNormBound(Shape s) const override {
        double most = 0.0;
        for (const auto& geometry : geometries_) most = std::max(most, geometry->dualNormBound(s));
        return most;
    }

private:
    const Geometry& now(const OracleContext& c) const {
        return *geometries_[static_cast<std::size_t>(choice_.at(c.slots))];
    }

    Value choice_;
    std::vector<std::shared_ptr<const Geometry>> geometries_;
};

}  // namespace schattor
