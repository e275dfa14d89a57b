#pragma once

#include <initializer_list>

namespace schattor {

/// What a part may read of a step beside the gradient and its own state.
enum class Input : unsigned {
    weights,           ///< its parameters, which must be finite then
    partner,           ///< the weights of the paired block
    previousGradient,  ///< Extras, one each
    activations,
    deltas,
    perExample
};

/// A set of them.
class Inputs {
public:
    constexpr Inputs() = default;
    constexpr Inputs(Input one) : bits_(bit(one)) {}  // NOLINT: one input is a set
    constexpr Inputs(std::initializer_list<Input> all) {
        for (const Input one : all) bits_ |= bit(one);
    }
    /// All but these.
    static constexpr Inputs except(Inputs others) {
        Inputs result;
        result.bits_ = ~others.bits_;
        return result;
    }

    constexpr bool has(Input one) const { return (bits_ & bit(one)) != 0; }
    constexpr bool empty() const { return bits_ == 0; }
    constexpr Inputs operator|(Inputs other) const {
        other.bits_ |= bits_;
        return other;
    }
    constexpr Inputs operator&(Inputs other) const {
        other.bits_ &= bits_;
        return other;
    }

private:
    static constexpr unsigned bit(Input one) { return 1u << static_cast<unsigned>(one); }
    unsigned bits_ = 0;
};

}  // namespace schattor
