#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace schattor {

/// A hyperparameter: a constant, or the number of a slot that is filled anew before every step
/// (a schedule). Parts hold Values and stay immutable.
class Value {
public:
    Value(double constant = 0.0) : constant_(constant) {}  // NOLINT: a number is a Value

    static Value fromSlot(std::size_t slot) {
        Value value;
        value.slot_ = static_cast<std::ptrdiff_t>(slot);
        return value;
    }

    double at(std::span<const double> slots) const {
        return slot_ < 0 ? constant_ : slots[static_cast<std::size_t>(slot_)];
    }

    /// The value where it is the same in every step.
    std::optional<double> constant() const { return slot_ < 0 ? std::optional(constant_) : std::nullopt; }

private:
    double constant_;
    std::ptrdiff_t slot_ = -1;
};

}  // namespace schattor
