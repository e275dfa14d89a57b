#pragma once

#include <memory>
#include <stdexcept>
#include <vector>

#include "base/value.h"
#include "scaling/scaling.h"

namespace schattor {

/// One scaling out of several of the same rule, chosen anew in each step.
class SwitchedScaling final : public Scaling {
public:
    SwitchedScaling(Value choice, std::vector<std::shared_ptr<const Scaling>> scalings)
        : choice_(choice), scalings_(std::move(scalings)) {
        for (const auto& scaling : scalings_)
            if (scaling->rule() != rule())
                throw std::invalid_argument(name() + " cannot hold " + scalings_.front()->name() + " and " +
                                            scaling->name() + ", which follow different rules");
    }

    std::vector<Child> children(Shape s) const override {
        std::vector<Child> result;
        for (const auto& scaling : scalings_) result.push_back({scaling.get(), s, prefixOf(result.size())});
        return result;
    }
    double factor(std::span<const double> slots, const OracleResult& oracle,
                  const Coupling& coupling) const override {
        return scalings_[now(slots)]->factor(slots, oracle, coupling);
    }
    double decrease(const Context<float>& c, const OracleResult& oracle, const float* m) const override {
        return decreaseOf(c, oracle, m);
    }
    double decrease(const Context<double>& c, const OracleResult& oracle, const double* m) const override {
        return decreaseOf(c, oracle, m);
    }
    bool joint() const override {
        return std::any_of(scalings_.begin(), scalings_.end(), [](const auto& s) { return s->joint(); });
    }
    double pace(std::span<const double> slots, double lr, const Coupling& coupling) const override {
        return scalings_[now(slots)]->pace(slots, lr, coupling);
    }
    double factorOf(const Context<float>& c, const OracleResult& oracle, const Coupling& k) const override {
        return run(c, oracle, k);
    }
    double factorOf(const Context<double>& c, const OracleResult& oracle, const Coupling& k) const override {
        return run(c, oracle, k);
    }
    Rule rule() const override { return scalings_.front()->rule(); }
    bool growsWithNorm() const override {
        for (const auto& scaling : scalings_)
            if (scaling->growsWithNorm()) return true;
        return false;
    }
    bool ownElementwise() const override { return true; }

private:
    /// Two scalings of one class keep states of the same name.
    static std::string prefixOf(std::size_t i) { return "scaling" + std::to_string(i) + "_"; }
    std::size_t now(std::span<const double> slots) const {
        return static_cast<std::size_t>(choice_.at(slots));
    }
    template <class T>
    double decreaseOf(const Context<T>& c, const OracleResult& oracle, const T* m) const {
        const std::size_t i = now(c.slots);
        return scalings_[i]->decrease(c.child(i), oracle, m);
    }
    template <class T>
    double run(const Context<T>& c, const OracleResult& oracle, const Coupling& k) const {
        const std::size_t i = now(c.slots);
        return scalings_[i]->factorOf(c.child(i), oracle, k);
    }

    Value choice_;
    std::vector<std::shared_ptr<const Scaling>> scalings_;
};

}  // namespace schattor
