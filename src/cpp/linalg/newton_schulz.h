#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/arena.h"
#include "base/types.h"
#include "linalg/coefficients.h"

namespace schattor {

/// A polynomial iteration: a coefficient set and the number of steps of it to take; or, without a set, the
/// adaptive scheme (adaptive_polar.h) with the accuracy `rtol` that it is to reach in at most that number of
/// steps.
struct Iteration {
    std::shared_ptr<const CoefficientSet> set;
    int steps = 0;
    double rtol = 0.0;
    double floor = 0.0;  ///< of a set: least divisor, whatever the norm

    bool adaptive() const { return set == nullptr; }
    /// Fewer steps than the table has may end above one, whatever the set.
    bool convergent() const { return set->convergent && steps >= static_cast<int>(set->steps.size()); }
    const Triple& triple(int i) const {
        const auto last = set->steps.size() - 1;
        const auto wanted = static_cast<std::size_t>(i);
        return set->steps[wanted < last ? wanted : last];
    }
};

/// The iteration `name`, a coefficient set or "adaptive", with `steps` steps (none: the default). `rtol` goes
/// with "adaptive". Raises std::invalid_argument.
Iteration makeIteration(std::string_view name, std::optional<int> steps = {}, double rtol = 0.0);

/// The iteration with coefficients of the caller's, of which it takes `steps` steps (none: as many as there
/// are), the last triple again and again. Nothing is known of where it ends: it is not convergent.
Iteration makeIteration(std::vector<Triple> own, std::optional<int> steps = {});

/// x = composite polynomial of G / max(normFactor ||G||_F, floor) on the singular values, for a finite,
/// non-zero G: an approximation of its polar factor. The residual is ||I - X X'||_F / sqrt(k), taken on
/// the smaller side, of the x that is returned.
struct Orthogonalized {
    double residual = 0.0;
    double frobenius = 0.0;
    int steps = 0;
    bool reached = false;  ///< convergent, and the accuracy that was asked for is there
};
template <class T>
Orthogonalized newtonSchulz(Shape shape, const T* g, const Iteration& iteration, T* x, Arena& arena);

}  // namespace schattor
