#include "coupler/mixed_norm.h"

#include <limits>

#include "support.h"

using schattor::Coupling;
using schattor::MixedNorm;
using schattor::Rule;
using schattor::Scaled;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double outers[] = {1.0, 1.25, 2.0, 3.0, 50.0, infinity};

struct Case {
    std::string name;
    std::vector<Scaled> norms;
    std::vector<double> weights;
};

// Each list of norms at several exponents of two; most of them lie outside of double.
std::vector<Case> cases() {
    std::vector<Case> result;
    for (const int e : {-100000, -3000, -1080, 0, 900, 3000, 100000}) {
        const std::string at = " at 2^" + std::to_string(e);
        result.push_back({"one block" + at, {{0.7, e}}, {3.0}});
        result.push_back({"three blocks" + at, {{0.7, e}, {5.0, e + 1}, {0.01, e - 2}}, {1.0, 2.0, 0.25}});
        result.push_back({"far apart" + at, {{1.0, e}, {0.75, e - 300}, {1.5, e - 40}}, {1e-3, 1e3, 1.0}});
        result.push_back({"equal" + at, {{0.5, e + 1}, {1.0, e}, {2.0, e - 1}}, {1.0, 1.0, 1.0}});
    }
    return result;
}

long double log2Of(const Scaled& x) {
    return std::log2(static_cast<long double>(x.value)) + static_cast<long double>(x.exponent);
}

// log2 of ||(2^l_i)||_s, term by term from the definition.
long double log2Norm(const std::vector<long double>& logs, long double s) {
    const long double top = *std::max_element(logs.begin(), logs.end());
    if (std::isinf(s)) return top;
    long double sum = 0.0L;
    for (const long double l : logs) sum += std::exp2(s * (l - top));
    return top + std::log2(sum) / s;
}

long double dualExponent(double r) {
    if (r == 1.0) return std::numeric_limits<long double>::infinity();
    if (r == infinity) return 1.0L;
    return static_cast<long double>(r) / (static_cast<long double>(r) - 1.0L);
}

std::vector<long double> weightedLogs(const Case& c, int sign) {
    std::vector<long double> logs;
    for (std::size_t i = 0; i < c.norms.size(); ++i)
        logs.push_back(log2Of(c.norms[i]) + sign * std::log2(static_cast<long double>(c.weights[i])));
    return logs;
}

std::string label(const Case& c, double r) { return c.name + ", r = " + check::show(r); }

// A few powers and roots, each within an ulp or two, of numbers whose exponent s multiplies errors.
double tolerance(double r) {
    const double s = r == 1.0 || r == infinity ? 1.0 : r / (r - 1.0);
    return 32.0 * (s + 1.0) * std::numeric_limits<double>::epsilon();
}

bool close(double actual, long double expected, double relative) {
    const long double underflow = std::numeric_limits<double>::min();  // below it digits are lost
    return std::abs(static_cast<long double>(actual) - expected) <= relative * std::abs(expected) + underflow;
}

}  // namespace

TEST("the dual norm is the dual l_s norm of (n_i / w_i), also where the norms exceed double") {
    for (const Case& c : cases())
        for (const double r : outers) {
            std::vector<Coupling> out(c.norms.size());
            const Scaled total = MixedNorm(r).couple(c.norms, c.weights, out);
            const long double expected = log2Norm(weightedLogs(c, -1), dualExponent(r));
            // The difference of logarithms is the relative error; 2^-40 of it is lost at exponents near 1e5.
            CHECK_FOR(label(c, r), std::abs(log2Of(total) - expected) <= tolerance(r));
        }
}

TEST("the primal norm is the l_r norm of (w_i n_i), also where the norms exceed double") {
    for (const Case& c : cases())
        for (const double r : outers) {
            const Scaled norm = MixedNorm(r).norm(c.norms, c.weights);
            const long double expected = log2Norm(weightedLogs(c, 1), static_cast<long double>(r));
            CHECK_FOR(label(c, r),
                      std::abs(log2Of(norm) - expected) <= tolerance(r) * std::max(1.0, std::min(r, 50.0)));
        }
}

TEST("the coupled direction lies on the unit sphere and attains the dual norm (Lemma 2)") {
    for (const Case& c : cases())
        for (const double r : outers) {
            std::vector<Coupling> out(c.norms.size());
            const Scaled total = MixedNorm(r).couple(c.norms, c.weights, out);
            std::vector<Scaled> lengths;
            long double attained = 0.0L;  // over the dual norm
            for (std::size_t i = 0; i < out.size(); ++i) {
                lengths.push_back({out[i].ball, 0});
                attained +=
                    std::exp2(log2Of(c.norms[i]) - log2Of(total)) * static_cast<long double>(out[i].ball);
            }
            CHECK_FOR(label(c, r),
                      close(MixedNorm(r).norm(lengths, c.weights).full(), 1.0L, 2 * tolerance(r)));
            CHECK_FOR(label(c, r), close(static_cast<double>(attained), 1.0L, 2 * tolerance(r)));
        }
}

TEST("the factors are those of Lemma 2, each computed from its own formula") {
    for (const Case& c : cases())
        for (const double r : outers) {
            if (r == 1.0) continue;  // has a test of its own
            std::vector<Coupling> out(c.norms.size());
            MixedNorm(r).couple(c.norms, c.weights, out);
            const std::vector<long double> a = weightedLogs(c, -1);
            const long double s = dualExponent(r);
            const long double total = log2Norm(a, s);
            for (std::size_t i = 0; i < out.size(); ++i) {
                const long double w = std::log2(static_cast<long double>(c.weights[i]));
                const long double ball = (s - 1.0L) * (a[i] - total) - w;  // (a_i / ||a||_s)^(s-1) / w_i
                const long double regularized =
                    ball + total - log2Of(c.norms[i]);  // times ||G||_* / ||G_i||_*
                CHECK_FOR(label(c, r), close(out[i].ball, std::exp2(ball), tolerance(r)));
                CHECK_FOR(label(c, r), close(out[i].regularized, std::exp2(regularized), tolerance(r)));
            }
        }
}

TEST("blocks further apart than the range of double keep their share") {
    std::vector<Coupling> out(2);
    for (const double r : {50.0, 1e6}) {
        MixedNorm(r).couple(std::vector<Scaled>{{0.5, 1001}, {0.5, -1099}}, std::vector<double>{1.0, 1.0},
                            out);
        // (2^-2100)^(s-1) with s - 1 = 1 / (r - 1); the larger block has share one to rounding.
        CHECK_FOR(
            check::show(r),
            close(out[1].ball, std::exp2(-2100.0L / (static_cast<long double>(r) - 1.0L)), tolerance(r)));
    }
}

TEST("where a rule separates, coupling gives each block what it gets alone") {
    for (const Case& c : cases()) {
        std::vector<Coupling> out(c.norms.size());
        const MixedNorm box(infinity);
        CHECK(box.separates(Rule::ball) && !box.separates(Rule::regularization));
        box.couple(c.norms, c.weights, out);
        for (std::size_t i = 0; i < out.size(); ++i)
            CHECK_FOR(c.name, close(out[i].ball, box.alone(c.weights[i]).ball, tolerance(infinity)));
        const MixedNorm euclid(2.0);
        CHECK(euclid.separates(Rule::regularization) && !euclid.separates(Rule::ball));
        euclid.couple(c.norms, c.weights, out);
        for (std::size_t i = 0; i < out.size(); ++i)
            CHECK_FOR(c.name,
                      close(out[i].regularized, euclid.alone(c.weights[i]).regularized, tolerance(2.0)));
    }
}

TEST("at r = 1 the largest block takes all, and equal blocks share") {
    const MixedNorm greedy(1.0);
    std::vector<Coupling> out(3);
    greedy.couple(std::vector<Scaled>{{1.0, 3000}, {0.75, 3000}, {2.0, 2999}},
                  std::vector<double>{1.0, 1.0, 1.0}, out);
    CHECK_EQ(out[0].ball, 0.5);
    CHECK_EQ(out[1].ball, 0.0);
    CHECK_EQ(out[2].ball, 0.5);
    // The weights decide: n_i / w_i is largest in the middle.
    greedy.couple(std::vector<Scaled>{{1.0, 3000}, {0.75, 3000}, {2.0, 2999}},
                  std::vector<double>{1.0, 0.5, 1.0}, out);
    CHECK_EQ(out[0].ball, 0.0);
    CHECK_EQ(out[1].ball, 2.0);
    CHECK_EQ(out[2].ball, 0.0);
}

// Norms come out of sums and roots: equal ones may differ by roundings, on either side and with either
// weight.
TEST("at r = 1 norms that differ by roundings share, those that differ by more do not") {
    const double eps = std::numeric_limits<double>::epsilon();
    const MixedNorm greedy(1.0);
    std::vector<Coupling> out(2);
    for (const double weight : {1.0, 3.0})
        for (const double apart : {-4.0, -1.0, 1.0, 4.0}) {
            greedy.couple(std::vector<Scaled>{{0.75, 7}, {0.75 * weight * (1.0 + apart * eps), 7}},
                          std::vector<double>{1.0, weight}, out);
            CHECK_EQ(out[0].ball, 0.5);
            CHECK_EQ(out[1].ball, 0.5 / weight);
            greedy.couple(std::vector<Scaled>{{0.75, 7}, {0.75 * weight * (1.0 + 16.0 * apart * eps), 7}},
                          std::vector<double>{1.0, weight}, out);
            CHECK_EQ(out[0].ball, apart < 0.0 ? 1.0 : 0.0);
            CHECK_EQ(out[1].ball, apart < 0.0 ? 0.0 : 1.0 / weight);
        }
}

TEST("blocks with dual norm zero get zero, and so do all of them together") {
    for (const double r : outers) {
        std::vector<Coupling> out(3);
        const Scaled some = MixedNorm(r).couple(std::vector<Scaled>{{0.0, 5000}, {1.0, -5000}, {}},
                                                std::vector<double>{1, 2, 3}, out);
        CHECK_EQ(out[0].ball, 0.0);
        CHECK_EQ(out[2].regularized, 0.0);
        CHECK_NEAR(out[1].ball, 0.5, 1e-15);
        CHECK_NEAR(some.relativeTo(-5000), 0.5, 1e-15);
        const Scaled none = MixedNorm(r).couple(std::vector<Scaled>(3), std::vector<double>{1, 2, 3}, out);
        CHECK(none.isZero());
        for (const Coupling& c : out) CHECK(c.ball == 0.0 && c.regularized == 0.0);
    }
}

TEST("no blocks at all have norm zero") {
    for (const double r : outers) {
        CHECK(MixedNorm(r).couple({}, {}, {}).isZero());
        CHECK(MixedNorm(r).norm({}, {}).isZero());
    }
}

TEST("an outer exponent outside [1, inf] is refused") {
    CHECK_THROWS_AS(MixedNorm(0.999), std::invalid_argument);
    CHECK_THROWS_AS(MixedNorm(-infinity), std::invalid_argument);
    CHECK_THROWS_AS(MixedNorm(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
}
