// A small test runner: TEST registers a function, the CHECK macros record failures and go on.
//
//     TEST("the name of the property") {
//         CHECK(x > 0);
//         CHECK_EQ(f(2), 4);
//         CHECK_NEAR(g(2.0), 4.0, 1e-12);       // |difference| <= tolerance; false for NaN
//         CHECK_THROWS_AS(f(-1), std::invalid_argument);
//         REQUIRE(pointer != nullptr);          // leaves the test when it fails
//     }
//
// The program prints "N passed, M failed" (tests, not checks) and fails unless something ran and
// nothing failed.
#pragma once

#include <cmath>
#include <concepts>
#include <sstream>
#include <string>
#include <vector>

namespace check {

struct Test {
    const char* name;
    void (*body)();
};

// Thrown by REQUIRE after the failure was recorded.
struct Abandon {};

std::vector<Test>& registry();
void fail(const char* file, int line, const std::string& message);

struct Registration {
    Registration(const char* name, void (*body)()) { registry().push_back({name, body}); }
};

template <class T>
std::string show(const T& value) {
    if constexpr (requires(std::ostream& out) { out << value; }) {
        std::ostringstream out;
        if constexpr (std::floating_point<T>) out.precision(17);
        out << std::boolalpha << value;
        return out.str();
    } else {
        return "(not printable)";
    }
}

template <class A, class B>
void equal(const A& actual, const B& expected, const char* text, const char* file, int line) {
    if (actual == expected) return;
    fail(file, line, std::string(text) + ": got " + show(actual) + ", expected " + show(expected));
}

template <std::floating_point T>
void near(T actual, T expected, T tolerance, const char* text, const char* file, int line) {
    if (std::abs(actual - expected) <= tolerance) return;
    fail(file, line,
         std::string(text) + ": got " + show(actual) + ", expected " + show(expected) + " within " +
             show(tolerance));
}

}  // namespace check

#define CHECK_CONCAT_(a, b) a##b
#define CHECK_CONCAT(a, b) CHECK_CONCAT_(a, b)

#define TEST(name) CHECK_TEST_(name, CHECK_CONCAT(checkTest, __LINE__))
#define CHECK_TEST_(name, function)                                                        \
    static void function();                                                                \
    static const check::Registration CHECK_CONCAT(function, Registration)(name, function); \
    static void function()

#define CHECK(...)                                                         \
    do {                                                                   \
        if (!(__VA_ARGS__)) check::fail(__FILE__, __LINE__, #__VA_ARGS__); \
    } while (false)

#define REQUIRE(...)                                       \
    do {                                                   \
        if (!(__VA_ARGS__)) {                              \
            check::fail(__FILE__, __LINE__, #__VA_ARGS__); \
            throw check::Abandon{};                        \
        }                                                  \
    } while (false)

#define CHECK_EQ(actual, expected) check::equal(actual, expected, #actual, __FILE__, __LINE__)

#define CHECK_NEAR(actual, expected, tolerance) \
    check::near<decltype((actual) + (expected))>(actual, expected, tolerance, #actual, __FILE__, __LINE__)

#define CHECK_THROWS_AS(expression, type)                                                       \
    do {                                                                                        \
        bool checkThrown = false;                                                               \
        try {                                                                                   \
            static_cast<void>(expression);                                                      \
        } catch (const type&) {                                                                 \
            checkThrown = true;                                                                 \
        }                                                                                       \
        if (!checkThrown) check::fail(__FILE__, __LINE__, #expression " did not throw " #type); \
    } while (false)
