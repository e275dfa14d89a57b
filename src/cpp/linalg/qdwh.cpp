#include "linalg/qdwh.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/kernels.h"
#include "base/view.h"
#include "linalg/blas.h"
#include "linalg/symmetric_product.h"

namespace schattor {
namespace {

constexpr double eps = std::numeric_limits<double>::epsilon();

/// The problem as LAPACK sees it: A is `tall` x `k`, column-major; `rows` is that of the iterate, k where a
/// QR factorisation of A comes first and the iteration runs on R.
struct Sizes {
    explicit Sizes(Shape s) : k(s.smaller()), tall(s.larger()), reduced(20 * tall > 23 * k) {}
    Index k, tall;
    bool reduced;
    Index rows() const { return reduced ? k : tall; }
    Index workspace() const { return 64 * (k + 66); }
};

struct Memory {
    Memory(const Sizes& s, Arena& arena)
        : iterate(take(arena, s.tall * s.k)),
          reflectors(take(arena, s.tall * s.k)),
          stacked(take(arena, (s.rows() + s.k) * s.k)),
          tau(take(arena, s.k)),
          work(take(arena, s.workspace())) {}
    static double* take(Arena& arena, Index n) { return arena.take<double>(static_cast<std::size_t>(n)); }

    double* iterate;     // A, then the iterate X
    double* reflectors;  // of the QR factorisation of A, with R
    double* stacked;     // [sqrt(c) X; I], or X (I + c X'X)^-1 and the Cholesky factor
    double* tau;
    double* work;
};

// The matrix scaled to entries below one, in the orientation that is tall for LAPACK.
template <class T>
void load(Shape s, const T* g, double* a) {
    if (s.rows <= s.cols)
        std::copy(g, g + s.size(), a);
    else
        view(a, s.cols, s.rows) = view(g, s.rows, s.cols).transpose().template cast<double>();
    const int exponent = kernels::exponentOf(s.size(), a);
    kernels::scaleByPowerOfTwo(s.size(), -exponent, a, a);
}

template <class T>
void store(Shape s, const double* a, T* x) {
    if (s.rows <= s.cols)
        std::copy(a, a + s.size(), x);
    else
        view(x, s.rows, s.cols) = view(a, s.cols, s.rows).transpose().template cast<T>();
}

double normalized(Index n, double* v) {
    const double norm = std::sqrt(kernels::sumOfSquares(n, v));
    if (norm > 0.0) kernels::scale(n, 1.0 / norm, v, v);
    return norm;
}

// Estimates of ||R||_2 and of 1 / ||R^-1||_2 by power iterations from a fixed vector: the one is too small,
// the other too large, by some per cent as a rule.
struct Extremes {
    double largest = 0.0;
    double smallest = 0.0;
};
Extremes extremeSingularValues(const Sizes& s, const double* r, double* v) {
    Extremes result;
    for (const bool inverse : {false, true}) {
        for (Index i = 0; i < s.k; ++i) v[i] = 1.0 + 0.5 * std::sin(static_cast<double>(i * i));
        normalized(s.k, v);
        double growth = 0.0;
        for (int i = 0; i < 6; ++i) {
            // R and R' in the order in which v starts in their domain: R'R for R, (R'R)^-1 for its inverse.
            const auto call = inverse ? &blas::trsm<double> : &blas::trmm<double>;
            call('L', 'U', inverse ? 'T' : 'N', 'N', s.k, 1, 1.0, r, s.tall, v, s.k);
            growth = std::max(growth, normalized(s.k, v));
            call('L', 'U', inverse ? 'N' : 'T', 'N', s.k, 1, 1.0, r, s.tall, v, s.k);
            growth = std::max(growth, normalized(s.k, v));
        }
        (inverse ? result.smallest : result.largest) = inverse ? 1.0 / growth : growth;
    }
    return result;
}

/// The weights of a Halley step x (a + b x^2) / (1 + c x^2), optimal for singular values in [l, 1].
struct Weights {
    explicit Weights(double l) {
        const double square = l * l;
        const double d = std::cbrt(4.0 * (1.0 - square) / (square * square));
        const double root = std::sqrt(1.0 + d);
        a = root + 0.5 * std::sqrt(8.0 - 4.0 * d + 8.0 * (2.0 - square) / (square * root));
        b = (a - 1.0) * (a - 1.0) / 4.0;
        c = a + b - 1.0;
    }
    double a, b, c;
};

// X <- (b/c) X + (a - b/c)/sqrt(c) Q1 Q2' with [sqrt(c) X; I] = [Q1; Q2] R: stable for every c.
bool stepByQr(const Sizes& s, const Weights& w, const Memory& m) {
    const Index rows = s.rows(), height = rows + s.k;
    for (Index j = 0; j < s.k; ++j) {
        double* column = m.stacked + j * height;
        kernels::scale(rows, std::sqrt(w.c), m.iterate + j * rows, column);
        std::fill(column + rows, column + height, 0.0);
        column[rows + j] = 1.0;
    }
    if (blas::geqrf<double>(height, s.k, m.stacked, height, m.tau, m.work, s.workspace()) != 0) return false;
    if (blas::orgqr<double>(height, s.k, m.stacked, height, m.tau, m.work, s.workspace()) != 0) return false;
    const double ratio = w.b / w.c;
    blas::gemm<double>('N', 'T', rows, s.k, s.k, (w.a - ratio) / std::sqrt(w.c), m.stacked, height,
                       m.stacked + rows, height, ratio, m.iterate, rows);
    return true;
}

// X <- (b/c) X + (a - b/c) X (I + c X'X)^-1 by a Cholesky factorisation, with an error of about c eps.
bool stepByCholesky(const Sizes& s, const Weights& w, const Memory& m) {
    const Index rows = s.rows(), size = rows * s.k;
    double* solved = m.stacked;
    double* factor = m.stacked + size;
    blas::gemmt<double>('L', 'T', 'N', s.k, rows, w.c, m.iterate, rows, m.iterate, rows, 0.0, factor, s.k);
    for (Index i = 0; i < s.k; ++i) factor[i * s.k + i] += 1.0;
    if (blas::potrf<double>('L', s.k, factor, s.k) != 0) return false;
    std::copy(m.iterate, m.iterate + size, solved);
    blas::trsm<double>('R', 'L', 'T', 'N', rows, s.k, 1.0, factor, s.k, solved, rows);
    blas::trsm<double>('R', 'L', 'N', 'N', rows, s.k, 1.0, factor, s.k, solved, rows);
    const double ratio = w.b / w.c;
    kernels::combine(size, ratio, m.iterate, w.a - ratio, solved, m.iterate);
    return true;
}

// X = A / bound, or R / bound.
void start(const Sizes& s, double bound, const Memory& m) {
    if (!s.reduced) {
        kernels::scale(s.tall * s.k, 1.0 / bound, m.iterate, m.iterate);
        return;
    }
    for (Index j = 0; j < s.k; ++j) {
        double* column = m.iterate + j * s.k;
        kernels::scale(j + 1, 1.0 / bound, m.reflectors + j * s.tall, column);
        std::fill(column + j + 1, column + s.k, 0.0);
    }
}

double distanceFromIdentity(const Sizes& s, const Memory& m) {
    symmetric::gram({s.k, s.rows()}, m.iterate, m.stacked);
    return symmetric::distance(s.k, m.stacked).fromIdentity;
}

/// How far to go: to the rounding of double, or, for a result in float, to well below that of float.
struct Accuracy {
    double largestWeight;  ///< c up to which the Cholesky form, with an error of c eps, is accurate enough
    double singularValue;  ///< 1 - l
    double distance;       ///< ||I - X'X||_F / sqrt(k)
};
template <class T>
Accuracy accuracy(Index k) {
    if (std::is_same_v<T, float>) return {1e7, 1e-9, 1e-8};
    return {100.0, 4.0 * eps, 10.0 * eps * std::sqrt(static_cast<double>(k))};
}

// Iterates until X'X = I to that accuracy; `l` is the lower bound of the singular values of X. Returns the
// number of iterations, or zero on failure.
int iterate(const Sizes& s, double l, const Accuracy& wanted, const Memory& m) {
    constexpr int most = 20;
    const double tolerance = wanted.distance * std::sqrt(static_cast<double>(s.k));
    for (int i = 1; i <= most; ++i) {
        const Weights w(l);
        if (!(w.c > wanted.largestWeight ? stepByQr(s, w, m) : stepByCholesky(s, w, m))) return 0;
        l = std::min(1.0, l * (w.a + w.b * l * l) / (1.0 + w.c * l * l));
        if (1.0 - l <= wanted.singularValue && distanceFromIdentity(s, m) <= tolerance) return i;
    }
    return 0;
}

// X <- Q X, from k x k to tall x k.
bool applyReflectors(const Sizes& s, const Memory& m) {
    for (Index j = s.k - 1; j >= 0; --j) {
        const double* from = m.iterate + j * s.k;
        double* to = m.iterate + j * s.tall;
        std::copy_backward(from, from + s.k, to + s.k);
        std::fill(to + s.k, to + s.tall, 0.0);
    }
    return blas::ormqr<double>('L', 'N', s.tall, s.k, s.k, m.reflectors, s.tall, m.tau, m.iterate, s.tall,
                               m.work, s.workspace()) == 0;
}

}  // namespace

template <class T>
QdwhResult polarQdwh(Shape shape, const T* g, T* x, Arena& arena) {
    const ArenaFrame frame(arena);
    const Sizes s(shape);
    const Memory m(s, arena);
    double* tau = Memory::take(arena, s.k);
    load(shape, g, m.iterate);
    std::copy(m.iterate, m.iterate + shape.size(), m.reflectors);
    QdwhResult result;
    if (blas::geqrf<double>(s.tall, s.k, m.reflectors, s.tall, tau, m.work, s.workspace()) != 0)
        return result;
    for (Index i = 0; i < s.k; ++i)
        if (m.reflectors[i * s.tall + i] == 0.0) return result;

    const Extremes found = extremeSingularValues(s, m.reflectors, m.stacked);
    // Between the cutoff and ten times it nothing is promised: the estimates, good to a factor of three,
    // decide.
    const double cutoff = machineEpsilon(dtypeOf<T>) * static_cast<double>(s.tall);
    if (!(found.smallest > 1.5 * cutoff * found.largest)) return result;
    const double frobenius = std::sqrt(kernels::sumOfSquares(shape.size(), m.iterate));
    const double bound = std::min(frobenius, 1.25 * found.largest);
    start(s, bound, m);
    result.iterations = iterate(s, std::min(1.0, 0.5 * found.smallest / bound), accuracy<T>(s.k), m);
    if (result.iterations == 0) return result;
    std::copy(tau, tau + s.k, m.tau);
    if (s.reduced && !applyReflectors(s, m)) return result;
    store(shape, m.iterate, x);

    T* gram = reinterpret_cast<T*>(m.stacked);
    symmetric::gram(shape, x, gram);
    const symmetric::Distance distance = symmetric::distance(s.k, gram);
    result.residual = distance.fromIdentity / std::sqrt(static_cast<double>(s.k));
    result.frobenius = std::sqrt(distance.trace);
    result.succeeded = true;
    return result;
}

template QdwhResult polarQdwh<float>(Shape, const float*, float*, Arena&);
template QdwhResult polarQdwh<double>(Shape, const double*, double*, Arena&);

}  // namespace schattor
