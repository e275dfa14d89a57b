#include "base/scaled.h"

#include <limits>

#include "support.h"

using schattor::Dtype;
using schattor::Scaled;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double tiniest = std::numeric_limits<double>::denorm_min();  // 2^-1074
constexpr double largest = std::numeric_limits<double>::max();
constexpr int extremes[] = {-100000, -2200, -1075, -1074, -1, 0, 1, 1023, 1024, 2200, 100000};

}  // namespace

TEST("the number itself is infinite beyond double and zero below it, never NaN") {
    CHECK_EQ((Scaled{0.5, 1024}.full()), std::ldexp(0.5, 1024));
    CHECK_EQ((Scaled{0.5, 1025}.full()), infinity);
    CHECK_EQ((Scaled{0.5, 100000}.full()), infinity);
    CHECK_EQ((Scaled{0.5, -1073}.full()), tiniest);
    CHECK_EQ((Scaled{0.5, -100000}.full()), 0.0);
    CHECK_EQ((Scaled{tiniest, 2000}.full()), std::ldexp(1.0, 926));
    CHECK_EQ((Scaled{largest, -2000}.full()), std::ldexp(largest, -2000));
    for (const int exponent : extremes) CHECK_EQ((Scaled{0.0, exponent}.full()), 0.0);
}

TEST("normalized keeps the number and brings the value into [1/2, 1)") {
    const double values[] = {tiniest, 3 * tiniest, std::numeric_limits<double>::min(), 0.5, 0.75, 1.0,
                             3.0,     largest};
    for (const double value : values)
        for (const int exponent : extremes) {
            const Scaled x{value, exponent};
            const Scaled y = x.normalized();
            const auto label = [&] { return check::show(value) + " * 2^" + std::to_string(exponent); };
            CHECK_FOR(label(), y.value >= 0.5 && y.value < 1.0);
            // The same mantissa, and the exponent moved by what the value lost.
            CHECK_FOR(label(), std::ldexp(y.value, y.exponent - exponent) == value);
            CHECK_FOR(label(), y.full() == x.full());
        }
}

TEST("zero is zero at every exponent, and normalises to exponent zero") {
    for (const int exponent : extremes) {
        const Scaled zero{0.0, exponent};
        CHECK(zero.isZero());
        CHECK_EQ(zero.normalized().value, 0.0);
        CHECK_EQ(zero.normalized().exponent, 0);
        CHECK_EQ(zero.times(5.0).full(), 0.0);
        CHECK_EQ(zero.relativeTo(-5000), 0.0);
    }
    CHECK(!(Scaled{tiniest, -100000}.isZero()));
}

TEST("ratios of numbers beyond double are exact") {
    const Scaled a{0.75, 50000};
    const Scaled b{0.5, 49990};
    CHECK_EQ(a.relativeTo(b.exponent), 768.0);
    CHECK_EQ(b.relativeTo(a.exponent), std::ldexp(0.5, -10));
    CHECK_EQ(b.relativeTo(a.exponent + 2000), 0.0);
    CHECK_EQ(a.times(0.25).relativeTo(a.exponent), 0.1875);
}

TEST("a dtype holds a number up to its largest finite one") {
    const double largestFloat = static_cast<double>(std::numeric_limits<float>::max());
    CHECK_EQ((Scaled{largestFloat, 0}.in(Dtype::float32)), largestFloat);
    CHECK_EQ((Scaled{0.5, 129}.in(Dtype::float32)), infinity);
    CHECK_EQ((Scaled{0.5, 129}.in(Dtype::float64)), std::ldexp(1.0, 128));
    CHECK_EQ((Scaled{largest, 0}.in(Dtype::float64)), largest);
    CHECK_EQ((Scaled{0.5, 1025}.in(Dtype::float64)), infinity);
    CHECK_EQ((Scaled{0.0, 5000}.in(Dtype::float32)), 0.0);
}
