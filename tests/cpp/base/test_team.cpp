// A team: each piece of work once, whether threads are there or not.
#include "base/team.h"

#include <algorithm>
#include <vector>

#include "check.h"

using namespace schattor;  // NOLINT

TEST("a team of threads does each piece once; without one they are done in order") {
    const Team team(4);
    for (int run = 0; run < 200; ++run) {
        std::vector<int> calls(29);
        Team::each(&team, 29, [&](Index i) { ++calls[static_cast<std::size_t>(i)]; });
        CHECK(std::all_of(calls.begin(), calls.end(), [](int c) { return c == 1; }));
    }
    std::vector<Index> order;
    Team::each(nullptr, 5, [&](Index i) { order.push_back(i); });
    CHECK(order == std::vector<Index>({0, 1, 2, 3, 4}));
}
