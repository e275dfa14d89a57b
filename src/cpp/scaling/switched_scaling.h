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
        return scalings_[static_cast<std::size_t>(choice_.at(slots))]->factor(slots, oracle, coupling);
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
    Value choice_;
    std::vector<std::shared_ptr<const Scaling>> scalings_;
};

}  // namespace schattor
