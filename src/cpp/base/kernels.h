#pragma once

#include <cmath>

#include "base/types.h"

/// The element-wise loops and reductions that parts share. Outputs may be the same array as an
/// input, never a shifted one. Reductions run in a fixed order of lanes, which depends neither on
/// the address nor on the number of threads, and accumulate in double.
namespace schattor::kernels {

/// Largest |x_i|, or infinity or NaN if any entry is not finite.
double maxAbs(Index n, const float* x);
double maxAbs(Index n, const double* x);

/// The power of two that brings the entries to at most one.
template <class T>
int exponentOf(Index n, const T* x) {
    int exponent = 0;
    std::frexp(maxAbs(n, x), &exponent);
    return exponent;
}

/// Number of entries that are NaN or infinite.
Index countNonFinite(Index n, const float* x);
Index countNonFinite(Index n, const double* x);

double dot(Index n, const float* x, const float* y);
double dot(Index n, const double* x, const double* y);

/// sum_i x_i^2, unscaled: the caller scales by a power of two first.
inline double sumOfSquares(Index n, const float* x) { return dot(n, x, x); }
inline double sumOfSquares(Index n, const double* x) { return dot(n, x, x); }

/// sum_i |x_i| / 2^e
double sumOfMagnitudes(Index n, int e, const float* x);
double sumOfMagnitudes(Index n, int e, const double* x);

/// out = -sign(x), zero at zero
void negativeSign(Index n, const float* x, float* out);
void negativeSign(Index n, const double* x, double* out);

/// out = a x
void scale(Index n, double a, const float* x, float* out);
void scale(Index n, double a, const double* x, double* out);

/// out = 2^e x, exact but for underflow
void scaleByPowerOfTwo(Index n, int e, const float* x, float* out);
void scaleByPowerOfTwo(Index n, int e, const double* x, double* out);

/// out = a x + b y
void combine(Index n, double a, const float* x, double b, const float* y, float* out);
void combine(Index n, double a, const double* x, double b, const double* y, double* out);

/// out = x + a (x - y)
void extrapolate(Index n, double a, const float* x, const float* y, float* out);
void extrapolate(Index n, double a, const double* x, const double* y, double* out);

/// out = x + a (x - y) and then y = x, in one pass
void extrapolateFrom(Index n, double a, const float* x, float* y, float* out);
void extrapolateFrom(Index n, double a, const double* x, double* y, double* out);

/// v = b v + add g^2
void averageSquares(Index n, double b, double add, const float* g, float* v);
void averageSquares(Index n, double b, double add, const double* g, double* v);

/// v = b v + (1 - b) (g - m)^2 + eps
void averageDeviations(Index n, double b, const float* g, const float* m, double eps, float* v);
void averageDeviations(Index n, double b, const double* g, const double* m, double eps, double* v);

/// out = max(x, out)
void raise(Index n, const float* x, float* out);
void raise(Index n, const double* x, double* out);

/// out = v - m^2, not below 0
void variance(Index n, const float* v, const float* m, float* out);
void variance(Index n, const double* v, const double* m, double* out);

/// out = a m / (sqrt(c v) + eps); 0 where the denominator is 0
void divideByRoot(Index n, double a, const float* m, double c, const float* v, double eps, float* out);
void divideByRoot(Index n, double a, const double* m, double c, const double* v, double eps, double* out);

/// out = sqrt(u + eps) / sqrt(v + eps) m; 0 where the denominator is 0
void scaleByRoots(Index n, const float* u, const float* v, double eps, const float* m, float* out);
void scaleByRoots(Index n, const double* u, const double* v, double eps, const double* m, double* out);

/// sum = sum + a x, sum = sum + x y; the sums in double
void addScaled(Index n, double a, const float* x, double* sum);
void addScaled(Index n, double a, const double* x, double* sum);
void addProducts(Index n, const float* x, const float* y, double* sum);
void addProducts(Index n, const double* x, const double* y, double* sum);

/// sum_i x_i (y_i - z_i)
double dotDifference(Index n, const float* x, const float* y, const float* z);
double dotDifference(Index n, const double* x, const double* y, const double* z);

/// out = a_i x_i and out = a_i x_i + b_i y_i, in double up to the last rounding; with `each`, every entry has
/// factors of its own, else all have the first.
void scaleWide(Index n, bool each, const double* a, const float* x, float* out);
void scaleWide(Index n, bool each, const double* a, const double* x, double* out);
void combineWide(Index n, bool each, const double* a, const float* x, const double* b, const float* y,
                 float* out);
void combineWide(Index n, bool each, const double* a, const double* x, const double* b, const double* y,
                 double* out);

/// w = f w + a d, entry by entry, with f = keep where w and a d differ in sign, else 1
void cautiousDecay(Index n, double keep, double a, const float* d, float* w);
void cautiousDecay(Index n, double keep, double a, const double* d, double* w);

/// out = c g + d m' + e m with the new m' = a m + b g, which replaces m, in one pass
struct Momentum {
    double a, b, c, d, e = 0.0;
};
void momentum(Index n, const Momentum&, const float* g, float* m, float* out);
void momentum(Index n, const Momentum&, const double* g, double* m, double* out);

}  // namespace schattor::kernels
