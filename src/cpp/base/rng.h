#pragma once

#include <cstdint>

#include "base/types.h"

namespace schattor {

/// A small random number generator whose whole state is a seed and a counter: the n-th number is a hash of
/// both (SplitMix64: Steele, Lea and Flood, OOPSLA 2014). Equal seeds give equal numbers everywhere.
class Rng {
public:
    explicit Rng(std::uint64_t seed) : state_(seed) {}
    /// Numbers for one block (by its salt) in one step, independent of those of others.
    Rng(std::uint64_t seed, std::uint64_t salt, std::int64_t step);

    std::uint64_t next();
    /// Uniform in (0, 1).
    double uniform();
    /// n independent standard normal numbers.
    void normal(Index n, double* out);

private:
    std::uint64_t state_;
};

}  // namespace schattor
