#include "base/kernels.h"

#include <cstdint>
#include <cstring>
#include <limits>

#include "support.h"

namespace kernels = schattor::kernels;
using schattor::Index;
using support::forBothDtypes;
using support::gaussian;

namespace {

constexpr Index longest = 70;  // past the unrolled lanes and their tails, several times

// Whether two arrays hold the same bits (NaN included).
template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// A copy of `values` that begins `shift` entries behind a cache line, with NaN all round: a loop
// that reads or counts a neighbour spoils its result.
template <class T>
class Shifted {
public:
    Shifted(const std::vector<T>& values, std::size_t shift)
        : size_(values.size()), memory_(size_ + 160, std::numeric_limits<T>::quiet_NaN()) {
        const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
        const std::size_t lead = (64 - address % 64) % 64 / sizeof(T);
        begin_ = memory_.data() + lead + 16 + shift;
        std::copy(values.begin(), values.end(), begin_);
    }
    T* data() { return begin_; }
    std::vector<T> values() const { return {begin_, begin_ + size_}; }

private:
    std::size_t size_;
    std::vector<T> memory_;
    T* begin_;
};

template <class T>
std::string caseName(Index n, Index at = -1) {
    return std::string(support::nameOf<T>) + ", length " + std::to_string(n) +
           (at < 0 ? "" : ", position " + std::to_string(at));
}

}  // namespace

TEST("maxAbs finds the largest magnitude at every position of every length") {
    forBothDtypes([]<class T>(T) {
        CHECK_EQ(kernels::maxAbs(0, static_cast<const T*>(nullptr)), 0.0);
        for (Index n = 1; n <= longest; ++n)
            for (Index at = 0; at < n; ++at) {
                std::vector<T> x = gaussian<T>(n, 1);
                for (T& value : x) value = std::fmod(value, T(1));
                x[static_cast<std::size_t>(at)] = at % 2 == 0 ? T(-7.5) : T(7.5);
                CHECK_FOR((caseName<T>(n, at)), kernels::maxAbs(n, x.data()) == 7.5);
            }
    });
}

TEST("maxAbs shows a single NaN or infinity as a value that is not finite") {
    forBothDtypes([]<class T>(T) {
        using Limits = std::numeric_limits<T>;
        const T bad[] = {Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), -Limits::quiet_NaN(),
                         Limits::signaling_NaN()};
        for (Index n = 1; n <= longest; ++n)
            for (Index at = 0; at < n; ++at)
                for (const T value : bad) {
                    std::vector<T> x(static_cast<std::size_t>(n), Limits::max());
                    x[static_cast<std::size_t>(at)] = value;
                    CHECK_FOR((caseName<T>(n, at)), !std::isfinite(kernels::maxAbs(n, x.data())));
                    CHECK_FOR((caseName<T>(n, at)), kernels::countNonFinite(n, x.data()) == 1);
                }
    });
}

TEST("maxAbs and countNonFinite take the ends of the range for what they are") {
    forBothDtypes([]<class T>(T) {
        using Limits = std::numeric_limits<T>;
        const T values[] = {T(0),          -T(0),         Limits::denorm_min(), -Limits::min() / 2,
                            Limits::min(), -Limits::max()};
        for (Index n = 1; n <= longest; ++n)
            for (const T value : values) {
                const std::vector<T> x(static_cast<std::size_t>(n), value);
                CHECK_FOR(caseName<T>(n),
                          kernels::maxAbs(n, x.data()) == std::abs(static_cast<double>(value)));
                CHECK_FOR(caseName<T>(n), kernels::countNonFinite(n, x.data()) == 0);
            }
    });
}

TEST("countNonFinite counts each entry once") {
    forBothDtypes([]<class T>(T) {
        for (Index n = 0; n <= longest; ++n) {
            std::vector<T> x = gaussian<T>(n, 2);
            Index expected = 0;
            for (std::size_t i = 0; i < x.size(); i += 3, ++expected)
                x[i] = i % 2 == 0 ? std::numeric_limits<T>::infinity() : std::numeric_limits<T>::quiet_NaN();
            CHECK_FOR(caseName<T>(n), kernels::countNonFinite(n, x.data()) == expected);
        }
    });
}

TEST("dot agrees with a sum in long double to the bound of 16 lanes in double") {
    forBothDtypes([]<class T>(T) {
        for (Index n = 0; n <= 1000; n = n < longest ? n + 1 : n + 233) {
            const std::vector<T> x = gaussian<T>(n, 3);
            const std::vector<T> y = gaussian<T>(n, 4);
            long double exact = 0.0L;
            long double magnitude = 0.0L;
            for (std::size_t i = 0; i < x.size(); ++i) {
                const long double term = static_cast<long double>(x[i]) * static_cast<long double>(y[i]);
                exact += term;
                magnitude += std::abs(term);
            }
            // One rounding per product and one per addition; a lane holds n / 16 terms and the
            // first one up to 15 more, then four additions join the lanes.
            const double roundings = static_cast<double>(n) / 16.0 + 20.0;
            const double bound =
                roundings * std::numeric_limits<double>::epsilon() * static_cast<double>(magnitude);
            const double error = std::abs(static_cast<double>(exact - kernels::dot(n, x.data(), y.data())));
            CHECK_FOR(caseName<T>(n), error <= bound);
        }
    });
}

TEST("dot has the same bits at every alignment of either operand") {
    forBothDtypes([]<class T>(T) {
        for (Index n = 0; n <= longest; ++n) {
            const std::vector<T> x = gaussian<T>(n, 5);
            const std::vector<T> y = gaussian<T>(n, 6);
            const double reference = kernels::dot(n, x.data(), y.data());
            for (std::size_t shift = 0; shift < 16; ++shift) {
                Shifted<T> a(x, shift);
                Shifted<T> b(y, (5 * shift) % 16);
                CHECK_FOR(caseName<T>(n) + ", shift " + std::to_string(shift),
                          kernels::dot(n, a.data(), b.data()) == reference);
            }
        }
    });
}

TEST("dot sums in the documented order: lanes by index modulo 16, joined in halves") {
    forBothDtypes([]<class T>(T) {
        for (Index n = 0; n <= longest; ++n) {
            // Small integers times powers of two: products are exact, sums are not.
            std::vector<T> x(static_cast<std::size_t>(n));
            for (std::size_t i = 0; i < x.size(); ++i)
                x[i] = static_cast<T>(std::ldexp(1.0 + i % 7, (i * 11) % 60));
            const std::vector<T> ones(x.size(), T(1));
            double lane[16] = {};
            const std::size_t whole = x.size() / 16 * 16;
            for (std::size_t i = 0; i < x.size(); ++i)
                lane[i < whole ? i % 16 : 0] += static_cast<double>(x[i]);
            for (int width = 8; width > 0; width /= 2)
                for (int j = 0; j < width; ++j) lane[j] += lane[j + width];
            CHECK_FOR(caseName<T>(n), kernels::dot(n, x.data(), ones.data()) == lane[0]);
        }
    });
}

TEST("sumOfMagnitudes is the sum of |x_i| / 2^e, and has the same bits at every alignment") {
    forBothDtypes([]<class T>(T) {
        using Limits = std::numeric_limits<T>;
        for (Index n = 0; n <= longest; ++n)
            for (const int e : {0, Limits::max_exponent, Limits::min_exponent}) {
                std::vector<T> x = gaussian<T>(n, 13);
                long double exact = 0.0L;
                for (T& value : x) {
                    value = std::ldexp(value, std::min(e, Limits::max_exponent - 4));
                    exact += std::ldexp(std::abs(static_cast<long double>(value)), -e);
                }
                const double sum = kernels::sumOfMagnitudes(n, e, x.data());
                // Positive terms: at most one rounding per addition, and scaling by 2^-e is exact.
                const double bound = static_cast<double>(n) * std::numeric_limits<double>::epsilon() * sum;
                CHECK_FOR(caseName<T>(n), std::abs(static_cast<double>(exact - sum)) <= bound);
                for (std::size_t shift = 1; shift < 16; ++shift) {
                    Shifted<T> a(x, shift);
                    CHECK_FOR(caseName<T>(n) + ", shift " + std::to_string(shift),
                              kernels::sumOfMagnitudes(n, e, a.data()) == sum);
                }
            }
    });
}

TEST("negativeSign is -1, 0 or 1 at every position, down to the smallest numbers") {
    forBothDtypes([]<class T>(T) {
        using Limits = std::numeric_limits<T>;
        const T values[] = {T(0), -T(0), Limits::denorm_min(), -Limits::denorm_min(), Limits::max(), T(-3)};
        const T expected[] = {T(0), T(0), T(-1), T(1), T(-1), T(1)};
        for (Index n = 0; n <= longest; ++n) {
            std::vector<T> x(static_cast<std::size_t>(n));
            for (std::size_t i = 0; i < x.size(); ++i) x[i] = values[i % 6];
            std::vector<T> out(x.size(), T(9));
            kernels::negativeSign(n, x.data(), out.data());
            kernels::negativeSign(n, x.data(), x.data());
            for (std::size_t i = 0; i < x.size(); ++i)
                CHECK_FOR(caseName<T>(n, static_cast<Index>(i)), out[i] == expected[i % 6] && x[i] == out[i]);
        }
    });
}

TEST("element-wise kernels give the same bits in place, out of place and at every alignment") {
    forBothDtypes([]<class T>(T) {
        for (Index n = 0; n <= longest; ++n) {
            const std::vector<T> x = gaussian<T>(n, 7);
            const std::vector<T> y = gaussian<T>(n, 8);
            std::vector<T> v = gaussian<T>(n, 9);
            for (T& value : v) value *= value;
            const std::vector<T> blank(x.size(), T(0));
            for (std::size_t shift = 0; shift < 16; ++shift) {
                const auto label = [&] { return caseName<T>(n) + ", shift " + std::to_string(shift); };
                // Calls f(first, second, out) with separate arrays and with out on top of an operand.
                const auto agree = [&](const std::vector<T>& first, const std::vector<T>& second, auto f) {
                    std::vector<T> expected = blank;
                    f(first.data(), second.data(), expected.data());
                    Shifted<T> a(first, shift);
                    Shifted<T> b(second, (shift + 3) % 16);
                    Shifted<T> out(blank, (shift + 7) % 16);
                    f(a.data(), b.data(), out.data());
                    CHECK_FOR(label(), same(out.values(), expected));
                    CHECK_FOR(label(), same(a.values(), first) && same(b.values(), second));
                    f(a.data(), b.data(), a.data());
                    CHECK_FOR(label(), same(a.values(), expected));
                    Shifted<T> again(first, shift);
                    f(again.data(), b.data(), b.data());
                    CHECK_FOR(label(), same(b.values(), expected));
                };
                agree(x, y,
                      [n](const T* a, const T* b, T* out) { kernels::combine(n, 0.9, a, 0.1, b, out); });
                agree(x, v, [n](const T* a, const T* b, T* out) {
                    kernels::divideByRoot(n, 1.5, a, 1.25, b, 1e-8, out);
                });
                agree(x, x, [n](const T* a, const T*, T* out) { kernels::scale(n, -0.3, a, out); });
                agree(x, x, [n](const T* a, const T*, T* out) { kernels::scaleByPowerOfTwo(n, -7, a, out); });

                std::vector<T> twice(x.size());
                kernels::combine(n, 0.9, x.data(), 0.1, x.data(), twice.data());
                Shifted<T> all(x, shift);
                kernels::combine(n, 0.9, all.data(), 0.1, all.data(), all.data());
                CHECK_FOR(label(), same(all.values(), twice));
            }
        }
    });
}

TEST("combine, averageSquares and cautiousDecay follow their formulas") {
    forBothDtypes([]<class T>(T) {
        const T eps = std::numeric_limits<T>::epsilon();
        for (Index n = 0; n <= longest; ++n) {
            const std::vector<T> d = gaussian<T>(n, 10);
            const std::vector<T> w = gaussian<T>(n, 11);
            std::vector<T> sum(d.size());
            std::vector<T> squares = w;
            std::vector<T> cautious = w;
            kernels::combine(n, 2.0, d.data(), -0.5, w.data(), sum.data());
            kernels::averageSquares(n, 0.75, 0.25, d.data(), squares.data());
            kernels::cautiousDecay(n, 0.5, 0.25, d.data(), cautious.data());
            for (std::size_t i = 0; i < d.size(); ++i) {
                // Coefficients are exact in binary: at most three roundings of terms below `size`.
                const T size = T(4) * (std::abs(d[i]) + std::abs(w[i]) + d[i] * d[i]);
                const T keep = w[i] * d[i] < T(0) ? T(0.5) : T(1);
                CHECK_FOR(caseName<T>(n), std::abs(sum[i] - (2 * d[i] - w[i] / 2)) <= eps * size);
                CHECK_FOR(caseName<T>(n),
                          std::abs(squares[i] - (T(0.75) * w[i] + T(0.25) * d[i] * d[i])) <= eps * size);
                CHECK_FOR(caseName<T>(n), std::abs(cautious[i] - (keep * w[i] + d[i] / 4)) <= eps * size);
            }
        }
    });
}

TEST("the loops of moments follow their formulas") {
    forBothDtypes([]<class T>(T) {
        const T eps = std::numeric_limits<T>::epsilon();
        for (Index n = 0; n <= longest; ++n) {
            const std::vector<T> g = gaussian<T>(n, 14), m = gaussian<T>(n, 15), w = gaussian<T>(n, 16);
            std::vector<T> v(w.size());
            for (std::size_t i = 0; i < v.size(); ++i) v[i] = w[i] * w[i];
            std::vector<T> added = v, deviations = v, raised = w, spread(v.size()), ratio(v.size());
            kernels::averageSquares(n, 1.0, 1.0, g.data(), added.data());
            kernels::averageDeviations(n, 0.75, g.data(), m.data(), 0.5, deviations.data());
            kernels::raise(n, g.data(), raised.data());
            kernels::variance(n, v.data(), m.data(), spread.data());
            kernels::scaleByRoots(n, added.data(), v.data(), 0.5, m.data(), ratio.data());
            for (std::size_t i = 0; i < v.size(); ++i) {
                const T d = g[i] - m[i], size = 1 + v[i] + 2 * (g[i] * g[i] + m[i] * m[i]);
                const T root = std::sqrt((added[i] + T(0.5)) / (v[i] + T(0.5)));
                CHECK_FOR(caseName<T>(n), std::abs(added[i] - (v[i] + g[i] * g[i])) <= 2 * eps * size);
                CHECK_FOR(caseName<T>(n),
                          std::abs(deviations[i] - (T(0.75) * v[i] + d * d / 4 + T(0.5))) <= 4 * eps * size);
                CHECK_FOR(caseName<T>(n), raised[i] == std::max(w[i], g[i]));
                CHECK_FOR(caseName<T>(n), spread[i] >= 0);
                CHECK_FOR(caseName<T>(n),
                          std::abs(spread[i] - std::max(T(0), v[i] - m[i] * m[i])) <= 2 * eps * size);
                // Two roots, a quotient and a product here, one of each less there.
                CHECK_FOR(caseName<T>(n),
                          std::abs(ratio[i] - root * m[i]) <= 8 * eps * std::abs(root * m[i]));
            }
            const std::vector<T> nothing(v.size());
            kernels::scaleByRoots(n, v.data(), nothing.data(), 0.0, m.data(), ratio.data());
            for (const T x : ratio) CHECK_FOR(caseName<T>(n), x == T(0));
        }
    });
}

TEST("the loops of extrapolation and of wide sums follow their formulas") {
    forBothDtypes([]<class T>(T) {
        const double eps = std::numeric_limits<T>::epsilon();
        for (Index n = 0; n <= longest; ++n) {
            const std::vector<T> x = gaussian<T>(n, 17), y = gaussian<T>(n, 18), z = gaussian<T>(n, 19);
            std::vector<T> ahead(x.size()), from(x.size()), last = y;
            std::vector<double> scaled(x.size(), 1.0), products(x.size(), 1.0);
            kernels::extrapolate(n, 0.75, x.data(), y.data(), ahead.data());
            kernels::extrapolateFrom(n, 0.75, x.data(), last.data(), from.data());
            kernels::addScaled(n, -1.5, x.data(), scaled.data());
            kernels::addProducts(n, x.data(), y.data(), products.data());
            long double difference = 0.0L;
            for (std::size_t i = 0; i < x.size(); ++i) {
                const double a = x[i], b = y[i];
                CHECK_NEAR(static_cast<double>(ahead[i]), a + 0.75 * (a - b), 20 * eps);
                CHECK_EQ(from[i], ahead[i]);
                CHECK_EQ(last[i], x[i]);
                CHECK_NEAR(scaled[i], 1.0 - 1.5 * a, 1e-14);
                CHECK_NEAR(products[i], 1.0 + a * b, 1e-14);
                difference += static_cast<long double>(x[i]) * (static_cast<long double>(y[i]) - z[i]);
            }
            const double found = kernels::dotDifference(n, x.data(), y.data(), z.data());
            CHECK_NEAR(found, static_cast<double>(difference), 1e-13 * static_cast<double>(n));
        }
    });
}

TEST("the wide factors are those of every entry, or the first for all") {
    forBothDtypes([]<class T>(T) {
        const double eps = std::numeric_limits<T>::epsilon();
        for (Index n = 1; n <= longest; ++n)
            for (const bool each : {false, true}) {
                const std::vector<T> x = gaussian<T>(n, 20), y = gaussian<T>(n, 21);
                const std::vector<double> a = gaussian<double>(n, 22), b = gaussian<double>(n, 23);
                std::vector<T> scaled(x.size()), combined(x.size());
                kernels::scaleWide(n, each, a.data(), x.data(), scaled.data());
                kernels::combineWide(n, each, a.data(), x.data(), b.data(), y.data(), combined.data());
                for (std::size_t i = 0; i < x.size(); ++i) {
                    const double ofX = a[each ? i : 0] * static_cast<double>(x[i]);
                    const double ofY = b[each ? i : 0] * static_cast<double>(y[i]);
                    CHECK_NEAR(static_cast<double>(scaled[i]), ofX, eps * std::abs(ofX));
                    CHECK_NEAR(static_cast<double>(combined[i]), ofX + ofY,
                               2 * eps * (std::abs(ofX) + std::abs(ofY)));
                }
            }
    });
}

TEST("divideByRoot is zero where the root and eps are zero") {
    forBothDtypes([]<class T>(T) {
        for (Index n = 1; n <= longest; ++n) {
            const std::vector<T> m = gaussian<T>(n, 12);
            std::vector<T> v(m.size(), T(4));
            for (std::size_t i = 0; i < v.size(); i += 2) v[i] = T(0);
            std::vector<T> out(m.size(), T(99));
            kernels::divideByRoot(n, 1.0, m.data(), 1.0, v.data(), 0.0, out.data());
            for (std::size_t i = 0; i < v.size(); ++i)
                CHECK_FOR(caseName<T>(n), out[i] == (i % 2 == 0 ? T(0) : m[i] / 2));
        }
    });
}

TEST("scaleByPowerOfTwo is exact wherever the result is a normal number") {
    forBothDtypes([]<class T>(T) {
        using Limits = std::numeric_limits<T>;
        const T mantissas[] = {T(1), T(-1.5), T(2) - Limits::epsilon()};
        for (int from = Limits::min_exponent - 1; from < Limits::max_exponent; from += 13)
            for (int to = Limits::min_exponent - 1; to < Limits::max_exponent; to += 7)
                for (const T mantissa : mantissas) {
                    const T x = std::ldexp(mantissa, from);
                    T out = T(0);
                    kernels::scaleByPowerOfTwo(1, to - from, &x, &out);
                    CHECK_EQ(out, std::ldexp(mantissa, to));
                }
        // The smallest number of all is brought to one.
        const T tiniest = Limits::denorm_min();
        T one = T(0);
        kernels::scaleByPowerOfTwo(1, Limits::digits - Limits::min_exponent, &tiniest, &one);
        CHECK_EQ(one, T(1));
    });
}

TEST("momentum advances the state and combines it with the gradient") {
    forBothDtypes([]<class T>(T) {
        for (Index n = 0; n <= longest; ++n) {
            const kernels::Momentum x{0.75, 0.5, -0.25, 2.0, 0.5};
            const std::vector<T> g = gaussian<T>(n, 1), before = gaussian<T>(n, 2);
            std::vector<T> m = before, out(g.size());
            kernels::momentum(n, x, g.data(), m.data(), out.data());
            for (std::size_t i = 0; i < g.size(); ++i) {
                const double state = 0.75 * static_cast<double>(before[i]) + 0.5 * static_cast<double>(g[i]);
                const double eps =
                    schattor::machineEpsilon(schattor::dtypeOf<T>);  // a few roundings of numbers < 20
                CHECK_NEAR(static_cast<double>(m[i]), state, 20 * eps);
                const double expected =
                    -0.25 * static_cast<double>(g[i]) + 2.0 * state + 0.5 * static_cast<double>(before[i]);
                CHECK_NEAR(static_cast<double>(out[i]), expected, 60 * eps);
            }
        }
    });
}
