// Pool: each item once, one call per worker at a time, errors, nesting, several callers; and a plan on it.
// Written for ThreadSanitizer as well: what the tasks write is not atomic wherever the pool promises order.
#include "base/pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "base/team.h"
#include "plans.h"

using namespace schattor;  // NOLINT
using plans::Problem;

namespace {

constexpr int most = 4;

// What one caller saw in many runs of different sizes; the counters are plain ints on purpose.
int wrongRuns(int runs) {
    int wrong = 0;
    for (int run = 0; run < runs; ++run) {
        const Index items = 1 + run % 37;
        std::vector<int> calls(static_cast<std::size_t>(items));
        std::vector<Index> perWorker(most);
        Pool::run(most, items, [&](int worker, Index i) {
            ++calls[static_cast<std::size_t>(i)];
            ++perWorker.at(static_cast<std::size_t>(worker));
        });
        Index total = 0;
        for (const Index count : perWorker) total += count;
        if (total != items || std::any_of(calls.begin(), calls.end(), [](int c) { return c != 1; })) ++wrong;
    }
    return wrong;
}

}  // namespace

TEST("every item is called once, and what the tasks wrote is there when run returns") {
    CHECK_EQ(wrongRuns(2000), 0);
    CHECK(Pool::helpers() >= 1);  // or nothing above was shared
    CHECK(Pool::helpers() < most);
}

TEST("no items, no calls") {
    Pool::run(most, 0, [](int, Index) { throw std::logic_error("called"); });
}

TEST("threads that fell asleep come back") {
    for (int run = 0; run < 20; ++run) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        CHECK_EQ(wrongRuns(1), 0);
    }
}

TEST("one thread does the items in order, as worker 0") {
    std::vector<Index> order;
    Pool::run(1, 100, [&](int worker, Index i) {
        CHECK_EQ(worker, 0);
        order.push_back(i);
    });
    REQUIRE(order.size() == 100);
    for (Index i = 0; i < 100; ++i) CHECK_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST("several threads are at work at the same time") {
    std::atomic<int> arrived = 0;  // two items that wait for each other end only if two threads take them
    Pool::run(2, 2, [&](int, Index) {
        ++arrived;
        while (arrived < 2) std::this_thread::yield();
    });
    CHECK_EQ(arrived.load(), 2);
}

TEST("an error reaches the caller, from the smallest item that failed, and the pool goes on") {
    for (int run = 0; run < 300; ++run) {
        std::vector<int> failed(64);
        Index caught = -1;
        try {
            Pool::run(most, 64, [&](int, Index i) {
                if (i % 16 != 5) return;
                failed[static_cast<std::size_t>(i)] = 1;
                throw i;
            });
        } catch (const Index i) {
            caught = i;
        }
        const auto first = std::find(failed.begin(), failed.end(), 1) - failed.begin();
        CHECK_EQ(caught, static_cast<Index>(first));
        CHECK_EQ(wrongRuns(1), 0);
    }
}

TEST("a run inside a task is done by the thread that asks") {
    std::vector<int> inner(256);
    Pool::run(most, 16, [&](int, Index i) {
        const auto self = std::this_thread::get_id();
        Pool::run(most, 16, [&](int worker, Index j) {
            inner[static_cast<std::size_t>(16 * i + j)] +=
                worker == 0 && std::this_thread::get_id() == self ? 1 : 100;
        });
    });
    CHECK(std::all_of(inner.begin(), inner.end(), [](int count) { return count == 1; }));
}

TEST("callers from several threads each get all of their work done") {
    std::atomic<int> wrong = 0;
    std::vector<std::thread> callers;
    for (int i = 0; i < most; ++i) callers.emplace_back([&] { wrong += wrongRuns(500); });
    for (std::thread& caller : callers) caller.join();
    CHECK_EQ(wrong.load(), 0);
}

TEST("a team of threads does each item once; no team does them in order") {
    const Team team(most);
    for (const Team* chosen : {&team, static_cast<const Team*>(nullptr)})
        for (int run = 0; run < 200; ++run) {
            std::vector<int> calls(29);
            Team::each(chosen, 29, [&](Index i) { ++calls[static_cast<std::size_t>(i)]; });
            CHECK(std::all_of(calls.begin(), calls.end(), [](int c) { return c == 1; }));
        }
}

namespace {

// Blocks of all kinds that the pool treats differently: a matrix that threads share, smaller ones, a divided
// vector, a group that couples.
template <class T>
typename Problem<T>::Snapshot afterSteps(int threads) {
    const Schatten spectral(std::numeric_limits<double>::infinity(), Schatten::Route::automatic, std::nullopt,
                            -1.0);
    const Schatten four(4.0, Schatten::Route::automatic, std::nullopt, -1.0);
    const Lp sign(std::numeric_limits<double>::infinity());
    Problem<T> problem(true, threads);
    const std::size_t alone = problem.group(std::nullopt, Rule::ball);
    const std::size_t coupled = problem.group(3.0, Rule::regularization);
    problem.add({210, 220}, plans::pipeline(plans::combination(3, four, Rule::ball)), alone);
    problem.add({1, 200000}, plans::pipeline(plans::combination(5, sign, Rule::ball)), alone);
    for (std::size_t i = 0; i < 8; ++i) {
        problem.add({40, 30}, plans::pipeline(plans::combination(i, spectral, Rule::ball)), alone);
        problem.add({20, 50}, plans::pipeline(plans::combination(i, four, Rule::regularization)), coupled);
    }
    problem.finish();
    for (const Mode mode : {Mode::step, Mode::update, Mode::peek, Mode::step}) {
        CHECK(!problem.run(mode));
        problem.refresh();
    }
    return problem.snapshot();
}

}  // namespace

TEST("a plan gives the same bits on one thread and on several") {
    support::forBothDtypes([]<class T>(T) {
        const auto expected = afterSteps<T>(1);
        for (const int threads : {2, most}) CHECK(afterSteps<T>(threads) == expected);
    });
}

TEST("plans that are run by several threads at once give the bits of a run alone") {
    const auto expected = afterSteps<float>(1);
    std::atomic<int> wrong = 0;
    std::vector<std::thread> callers;
    for (int i = 0; i < 3; ++i)
        callers.emplace_back([&] {
            if (afterSteps<float>(2) != expected) ++wrong;
        });
    for (std::thread& caller : callers) caller.join();
    CHECK_EQ(wrong.load(), 0);
}
