// The runner: `test_x` runs all tests of the file, `test_x text` those whose name contains the
// text.
#include "check.h"

#include <cstdio>
#include <cstring>
#include <exception>

namespace check {

namespace {
bool currentFailed = false;
}  // namespace

std::vector<Test>& registry() {
    static std::vector<Test> tests;  // a function's static: registrations run before main, in any order
    return tests;
}

void fail(const char* file, int line, const std::string& message) {
    currentFailed = true;
    std::printf("%s:%d: check failed: %s\n", file, line, message.c_str());
}

static bool passes(const Test& test) {
    currentFailed = false;
    try {
        test.body();
    } catch (const Abandon&) {  // already recorded
    } catch (const std::exception& error) {
        currentFailed = true;
        std::printf("unexpected exception: %s\n", error.what());
    } catch (...) {
        currentFailed = true;
        std::printf("unexpected exception of unknown type\n");
    }
    if (currentFailed) std::printf("FAILED: %s\n", test.name);
    std::fflush(stdout);
    return !currentFailed;
}

}  // namespace check

int main(int argc, char** argv) {
    const char* filter = argc > 1 ? argv[1] : "";
    int passed = 0;
    int failed = 0;
    for (const check::Test& test : check::registry()) {
        if (std::strstr(test.name, filter) == nullptr) continue;
        if (check::passes(test)) {
            ++passed;
        } else {
            ++failed;
        }
    }
    std::printf("%d passed, %d failed\n", passed, failed);
    return passed > 0 && failed == 0 ? 0 : 1;
}
