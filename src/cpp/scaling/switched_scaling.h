#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "base/value.h"
#include "scaling/scaling.h"

namespace schattor {

/// One scaling out of several of the same rule, chosen anew in each step.
class SwitchedScaling final : public Scaling {
public:
    SwitchedScaling(Value choice, std::vector<std::shared_ptr<const Scaling>> scalings)
        : choice_(choice), scalings_(std::move(scalings)) {}

    double factor(std::span<const double> slots, const OracleResult& oracle,
                  const Coupling& coupling) const override {
        return active(slots).factor(slots, oracle, coupling);
    }
    double decrease(const Context<float>& c, const OracleResult& oracle, const float* m) const override {
        return active(c.slots).decrease(c, oracle, m);
    }
    double decrease(const Context<double>& c, const OracleResult& oracle, const double* m) const override {
        return active(c.slots).decrease(c, oracle, m);
    }
    bool joint() const override {
        return std::any_of(scalings_.begin(), scalings_.end(), [](const auto& s) { return s->joint(); });
    }
    double pace(std::span<const double> slots, double lr, const Coupling& coupling) const override {
        return active(slots).pace(slots, lr, coupling);
    }
    bool readsWeights() const override {
        return std::any_of(scalings_.begin(), scalings_.end(),
                           [](const auto& s) { return s->readsWeights(); });
    }
    Rule rule() const override { return scalings_.front()->rule(); }
    bool growsWithNorm() const override {
        for (const auto& scaling : scalings_)
            if (scaling->growsWithNorm()) return true;
        return false;
    }
    bool elementwise() const override {
        return std::all_of(scalings_.begin(), scalings_.end(),
                           [](const auto& s) { return s->elementwise(); });
    }

private:
    const Scaling& active(std::span<const double> slots) const {
        return *scalings_[static_cast<std::size_t>(choice_.at(slots))];
    }

    Value choice_;
    std::vector<std::shared_ptr<const Scaling>> scalings_;
};

}  // namespace schattor
