#include "linalg/jacobi.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/kernels.h"
#include "base/view.h"

namespace schattor {
namespace {

constexpr int mostSweeps = 60;

// Rotates rows x and y by the angle (c, s): x <- c x - s y, y <- s x + c y.
void rotate(Index n, double c, double s, double* x, double* y) {
    for (Index j = 0; j < n; ++j) {
        const double t = c * x[j] - s * y[j];
        y[j] = s * x[j] + c * y[j];
        x[j] = t;
    }
}

// One sweep over all pairs of rows; says whether any pair was still not orthogonal.
bool sweep(Index k, Index n, double* a, double* rotations) {
    const double tolerance = std::numeric_limits<double>::epsilon() * std::sqrt(static_cast<double>(n));
    bool rotated = false;
    for (Index i = 0; i < k; ++i) {
        for (Index j = i + 1; j < k; ++j) {
            double* x = a + i * n;
            double* y = a + j * n;
            const double xx = kernels::dot(n, x, x);
            const double yy = kernels::dot(n, y, y);
            const double xy = kernels::dot(n, x, y);
            if (std::abs(xy) <= tolerance * std::sqrt(xx) * std::sqrt(yy)) continue;
            const double zeta = (yy - xx) / (2.0 * xy);
            const double t = std::copysign(1.0, zeta) / (std::abs(zeta) + std::hypot(1.0, zeta));
            const double c = 1.0 / std::hypot(1.0, t);
            rotate(n, c, c * t, x, y);
            rotate(k, c, c * t, rotations + i * k, rotations + j * k);
            rotated = true;
        }
    }
    return rotated;
}

}  // namespace

void jacobiSvd(Index k, Index n, double* a, double* sigma, double* left) {
    // With J the product of all rotations, J A has orthogonal rows: A = J' diag(sigma) V'.
    view(left, k, k).setIdentity();
    for (int i = 0; i < mostSweeps && sweep(k, n, a, left); ++i) {
    }
    for (Index i = 0; i < k; ++i) {
        double* row = a + i * n;
        sigma[i] = std::sqrt(kernels::sumOfSquares(n, row));
        if (sigma[i] > 0.0) kernels::scale(n, 1.0 / sigma[i], row, row);
    }
    for (Index i = 0; i < k; ++i) {
        const Index best = std::max_element(sigma + i, sigma + k) - sigma;
        if (best == i) continue;
        std::swap(sigma[i], sigma[best]);
        std::swap_ranges(a + i * n, a + (i + 1) * n, a + best * n);
        std::swap_ranges(left + i * k, left + (i + 1) * k, left + best * k);
    }
    view(left, k, k).transposeInPlace();
}

}  // namespace schattor
