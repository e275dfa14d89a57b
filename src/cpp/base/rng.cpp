#include "base/rng.h"

#include <cmath>
#include <numbers>

namespace schattor {

Rng::Rng(std::uint64_t seed, std::uint64_t salt, std::int64_t step)
    : state_(Rng(Rng(Rng(seed).next() ^ salt).next() ^ static_cast<std::uint64_t>(step)).next()) {}

std::uint64_t Rng::next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

double Rng::uniform() { return (static_cast<double>(next() >> 12) + 0.5) * 0x1p-52; }

void Rng::normal(Index n, double* out) {
    // Box and Muller: two numbers from two.
    for (Index i = 0; i < n; i += 2) {
        const double radius = std::sqrt(-2.0 * std::log(uniform()));
        const double angle = 2.0 * std::numbers::pi * uniform();
        out[i] = radius * std::cos(angle);
        if (i + 1 < n) out[i + 1] = radius * std::sin(angle);
    }
}

}  // namespace schattor
