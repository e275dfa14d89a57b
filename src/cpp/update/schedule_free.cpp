#include "update/schedule_free.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "linalg/norms.h"

namespace schattor {

template <class T>
Moved ScheduleFree::run(const Context<T>& c, double factor, const T* d, T* y) const {
    T* z = c.state[0];
    double &sum = c.scalars[0], &largest = c.scalars[1];
    if (c.count == 0) std::copy(y, y + c.size(), z);
    largest = std::max(largest, c.lr);
    const double t = static_cast<double>(c.count + 1);
    const double weight = std::pow(t, r_) * std::pow(largest, power_);
    sum += weight;
    const double share = sum > 0.0 ? weight / sum : 0.0;
    // The inner displacement is (keep - 1) y + factor d.
    const double keep = *inner_->keep(c.slots, c.lr);
    const T ofY = static_cast<T>(keep - 1.0), ofD = static_cast<T>(factor);
    const T base = static_cast<T>(share);
    const T move = static_cast<T>(1.0 - beta_ * (1.0 - share));
    Scaled squares;  // of what y moves by
    constexpr Index some = 512;
    std::array<T, some> moves;
    for (Index at = 0; at < c.size(); at += some) {
        const Index n = std::min(some, c.size() - at);
        for (Index i = 0; i < n; ++i) {
            const Index j = at + i;
            const T displacement = ofY * y[j] + ofD * d[j];
            const T moved = base * (z[j] - y[j]) + move * displacement;
            y[j] += moved;
            z[j] += displacement;
            moves[static_cast<std::size_t>(i)] = moved;
        }
        squares = squares.plus(frobeniusNorm(n, moves.data()).squared());
    }
    return {.norm = squares.root().full()};
}

template Moved ScheduleFree::run<float>(const Context<float>&, double, const float*, float*) const;
template Moved ScheduleFree::run<double>(const Context<double>&, double, const double*, double*) const;

}  // namespace schattor
