// Each test but the last must fail; CMakeLists.txt checks the count.
#include "check.h"

#include <limits>
#include <stdexcept>

TEST("a false condition") { CHECK(1 + 1 == 3); }
TEST("unequal values") { CHECK_EQ(1 + 1, 3); }
TEST("NaN is near nothing") { CHECK_NEAR(std::numeric_limits<double>::quiet_NaN(), 0.0, 1.0); }
TEST("nothing is thrown") { CHECK_THROWS_AS(1 + 1, std::invalid_argument); }
TEST("an unexpected exception") { throw std::runtime_error("expected by this file only"); }
TEST("a requirement") {
    REQUIRE(1 + 1 == 3);
    throw std::runtime_error("not reached");
}
TEST("all of them hold") {
    CHECK(1 + 1 == 2);
    CHECK_EQ(1 + 1, 2);
    CHECK_NEAR(0.1 + 0.2, 0.3, 1e-15);
    CHECK_THROWS_AS(throw std::invalid_argument(""), std::invalid_argument);
    REQUIRE(1 + 1 == 2);
}
