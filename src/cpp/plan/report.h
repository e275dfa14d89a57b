#pragma once

#include <cstdint>
#include <limits>

#include "geometry/geometry.h"

namespace schattor {

/// By-products of one step of one block.
struct BlockReport {
    bool present = false;    ///< false when the gradient was None
    double dualNorm = 0.0;   ///< of what the oracle saw
    double stepSize = 0.0;   ///< length of the displacement, decay aside, in units of the ball direction
    double updateRms = 0.0;  ///< root mean square of the displacement's entries, decay aside
    double residual = 0.0;
    Backend backend = Backend::none;
    int fallbacks = 0;
};

/// What a step may be given for a block beside its gradient, in the order of Extras.
enum class Extra { gradientAtPrevious, activations, deltas, perExample };

/// Why a step was refused, as a rule before any state was touched.
struct Refusal {
    enum class Kind {
        none,
        gradientNotFinite,
        weightsNotFinite,
        gradientTooLarge,
        estimateTooLarge,
        extraNotFinite,
        extraTooLarge,
        stepNotFinite  ///< found afterwards; only where the step could be taken back
    };
    Kind kind = Kind::none;
    std::size_t block = 0;
    Index count = 0;        ///< entries that are not finite
    double largest = 0.0;   ///< largest magnitude found
    double limit = 0.0;     ///< largest magnitude allowed
    std::size_t extra = 0;  ///< which Extra

    explicit operator bool() const { return kind != Kind::none; }
};

/// What the pieces of a block that is worked through in pieces report; include() is called in a fixed order.
struct Piece {
    Scaled power;          ///< sum of the pieces' dual norms, each to the dual exponent: 1 or 2
    double squares = 0.0;  ///< of the directions' entries
    double times = 1.0;    ///< how many times as far as it was told the update has moved
    Backend backend = Backend::none;

    void include(const Piece& other) {
        power = power.plus(other.power);
        squares += other.squares;
        times = other.times;
        if (other.backend != Backend::none) backend = other.backend;
    }
};

}  // namespace schattor
