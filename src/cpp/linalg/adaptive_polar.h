#pragma once

#include "linalg/newton_schulz.h"

namespace schattor {

/// Steps of adaptivePolar unless the caller says otherwise: enough for singular values at the cutoff.
inline constexpr int adaptiveSteps = 32;

/// The polar factor of a finite, non-zero G to the requested accuracy: minimax quintics, each for the
/// interval that holds the singular values by then, until ||I - X X'||_F <= rtol sqrt(k) on the smaller side,
/// or `maxSteps`. The last step is one that takes the singular values into [0, 1]. `reached` is false where G
/// has singular values that are zero or nearly so; their directions are then left in part.
template <class T>
Orthogonalized adaptivePolar(Shape shape, const T* g, double rtol, int maxSteps, T* x, Arena& arena);

}  // namespace schattor
