#pragma once

#include "base/types.h"

/// The small dense blocks of BandFunction, b x b and column-major, compiled for each width.
namespace schattor::band {

struct Kernels {
    /// T_JJ = R_J R_J' + L_J L_J' and T_{J+1,J} = R_{J+1} L_J' from the stacked blocks [L_{J-1}; R_J].
    void (*assemble)(Index blocks, const double* stack, double* diagonal, double* below);

    /// Eliminates T + shift from the last block up: Delta_J = T_JJ + shift + T_{J+1,J}' S_J with
    /// S_J = -Delta_{J+1}^-1 T_{J+1,J}. Returns the number of negative pivots.
    Index (*eliminate)(Index blocks, const double* diagonal, const double* below, double shift,
                       double* ratios, double* inverses);

    /// Turns Delta_J^-1 into the diagonal blocks X_JJ of (T + shift)^-1: X_{J+1,J+1} = Delta_{J+1}^-1 + S_J
    /// X_JJ S_J'.
    void (*diagonalBlocks)(Index blocks, const double* ratios, double* inverses);

    /// Adds sum_j w_j (T + t_j)^-1 to the column I of blocks of F, from the diagonal down, and to the row I:
    /// X_{J+1,I} = S_J X_{J,I}. The arrays of pole j start j * stride later. Overwrites F unless `add`.
    void (*column)(Index blocks, Index first, Index poles, Index stride, const double* weights,
                   const double* ratios, const double* inverses, bool add, double* f, Index ldf);
};

/// The kernels for a width of 4, 8, 16 or 32.
const Kernels& kernels(Index width);

}  // namespace schattor::band
