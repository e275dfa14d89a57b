#pragma once

#include "base/kernels.h"

/// A whole element-wise step in one pass over memory.
namespace schattor::kernels {

/// How a metric maps the estimate y of the gradient x entry by entry, and advances its arrays v and u.
struct Metric {
    enum class Kind {
        none,        ///< y
        squares,     ///< v = b v + add x^2;                  a y / (sqrt(c v) + eps)
        largest,     ///< the same v, and u = max(u, v);      a y / (sqrt(c u) + eps)
        deviations,  ///< v = b v + add (x - y)^2 + inner;    a y / (sqrt(c v) + eps)
        ratio        ///< the same v as squares;              z = sqrt(u + eps) / sqrt(v + eps) y,
                     ///<                                     and then u = b u + add z^2
    };
    Kind kind = Kind::none;
    double b = 1.0, add = 0.0, inner = 0.0;
    double a = 1.0, c = 1.0, eps = 0.0;
};

/// Which way the step goes along an estimate z: z itself (the regularization rule of the Euclidean norm), or
/// its signs (the ball rule of the l_inf norm).
enum class Direction { estimate, signs };

/// x = g + decay w, the momentum of x where m is given, the metric's map of it, and target = keep w + factor
/// e for the direction e of the result. `estimate` receives the result unless it is null.
template <class T>
struct Descent {
    double decay = 0.0;
    Momentum momentum = {};
    Metric metric = {};
    Direction direction = Direction::estimate;
    double keep = 1.0;
    double factor = 0.0;
    const T* g = nullptr;
    const T* w = nullptr;
    T* m = nullptr;
    T* v = nullptr;
    T* u = nullptr;
    T* target = nullptr;
    T* estimate = nullptr;
};

/// Sums over the entries, unscaled: the dual norm of the estimate z to its power (sum z^2, or sum |z| with
/// signs), and sum e^2.
struct DescentSums {
    double power = 0.0, squares = 0.0;
};
DescentSums descend(Index n, const Descent<float>&);
DescentSums descend(Index n, const Descent<double>&);

}  // namespace schattor::kernels
