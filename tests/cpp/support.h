// What several test files share: labelled checks, shapes, and matrices with known spectra.
#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "base/types.h"
#include "check.h"

// CHECK inside a loop over cases: `label` (evaluated only on failure) says which case it is.
#define CHECK_FOR(label, ...)                                                                          \
    do {                                                                                               \
        if (!(__VA_ARGS__)) check::fail(__FILE__, __LINE__, std::string(#__VA_ARGS__ ", ") + (label)); \
    } while (false)

namespace support {

using schattor::Index;
using schattor::Shape;

template <class T>
constexpr const char* nameOf = sizeof(T) == sizeof(float) ? "float32" : "float64";

inline std::string text(Shape s) { return std::to_string(s.rows) + " x " + std::to_string(s.cols); }

// Runs f(float{}) and f(double{}).
template <class F>
void forBothDtypes(F f) {
    f(float{});
    f(double{});
}

template <class T>
std::vector<T> gaussian(Index n, unsigned seed) {
    std::mt19937_64 engine(seed);
    std::normal_distribution<double> normal;
    std::vector<T> result(static_cast<std::size_t>(n));
    for (T& x : result) x = static_cast<T>(normal(engine));
    return result;
}

// k orthonormal vectors of length n, one after the other (Gram-Schmidt, repeated, in long double).
inline std::vector<long double> orthonormal(Index k, Index n, unsigned seed) {
    const std::vector<double> start = gaussian<double>(k * n, seed);
    std::vector<long double> q(start.begin(), start.end());
    for (Index i = 0; i < k; ++i) {
        long double* row = q.data() + i * n;
        const auto dot = [&](const long double* other) {
            long double sum = 0.0L;
            for (Index l = 0; l < n; ++l) sum += row[l] * other[l];
            return sum;
        };
        for (int pass = 0; pass < 3; ++pass)
            for (Index j = 0; j < i; ++j) {
                const long double* other = q.data() + j * n;
                const long double along = dot(other);
                for (Index l = 0; l < n; ++l) row[l] -= along * other[l];
            }
        const long double length = std::sqrt(dot(row));
        for (Index l = 0; l < n; ++l) row[l] /= length;
    }
    return q;
}

// A row-major matrix with these singular values (min(m, n) of them), rounded to T once.
template <class T>
std::vector<T> planted(Shape s, const std::vector<double>& sigma, unsigned seed) {
    const Index k = s.smaller();
    const std::vector<long double> left = orthonormal(k, s.rows, seed);
    const std::vector<long double> right = orthonormal(k, s.cols, seed + 1);
    std::vector<T> result(static_cast<std::size_t>(s.size()));
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            long double sum = 0.0L;
            for (Index l = 0; l < k; ++l)
                sum += left[static_cast<std::size_t>(l * s.rows + i)] *
                       static_cast<long double>(sigma[static_cast<std::size_t>(l)]) *
                       right[static_cast<std::size_t>(l * s.cols + j)];
            result[static_cast<std::size_t>(i * s.cols + j)] = static_cast<T>(sum);
        }
    return result;
}

// A named list of singular values, largest first.
struct Spectrum {
    std::string name;
    std::vector<double> sigma;
};

// Spectra that try an SVD: well separated, graded down to `smallest`, repeated, rank-deficient, all equal.
inline std::vector<Spectrum> spectra(Index count, double smallest) {
    const auto k = static_cast<std::size_t>(count);
    std::vector<double> separated(k), graded(k), repeated(k), deficient(k);
    const auto last = static_cast<double>(std::max<Index>(1, count - 1));
    for (std::size_t i = 0; i < k; ++i) {
        const auto t = static_cast<double>(i);
        separated[i] = 3.0 / (1.0 + t);
        graded[i] = std::pow(smallest, t / last);
        repeated[i] = i < (k + 1) / 2 ? 2.0 : 0.5;
        deficient[i] = i < (k + 1) / 2 ? 1.0 / (1.0 + t) : 0.0;
    }
    return {{"separated", separated},
            {"graded", graded},
            {"repeated", repeated},
            {"rank-deficient", deficient},
            {"all equal", std::vector<double>(k, 1.0)}};
}

}  // namespace support
