#pragma once

#include "base/arena.h"
#include "base/types.h"

namespace schattor {

struct QdwhResult {
    double residual = 0.0;   ///< ||I - X X'||_F / sqrt(k) on the smaller side
    double frobenius = 0.0;  ///< ||x||_F
    int iterations = 0;
    bool succeeded = false;  ///< else x is not written
};

/// x = the orthogonal polar factor of a finite, non-zero G by dynamically weighted Halley iterations
/// (Nakatsukasa, Bai and Gygi, SIAM J. Matrix Anal. Appl. 31, 2010; Nakatsukasa and Higham, SIAM J. Sci.
/// Comput. 35, 2013), in double. It does not succeed where a singular value may be below max(m, n) eps
/// sigma_1, eps that of T: the factor would have full rank, while such singular values count as zero.
template <class T>
QdwhResult polarQdwh(Shape shape, const T* g, T* x, Arena& arena);

}  // namespace schattor
