// The pool of threads. Also to be run under ThreadSanitizer (SCHATTOR_SANITIZE=thread).
#include "base/pool.h"

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "linalg/blas.h"
#include "linalg/blas_threads.h"
#include "plan/batch.h"
#include "plans.h"

// ThreadSanitizer ends a child that starts threads.
#if (defined(__unix__) || defined(__APPLE__)) && !defined(__SANITIZE_THREAD__)
#include <sys/wait.h>
#include <unistd.h>
#define FORKS 1
#endif

using namespace schattor;  // NOLINT
using plans::Problem;

namespace {

void pause(int microseconds) { std::this_thread::sleep_for(std::chrono::microseconds(microseconds)); }

// Blocks of all kinds in separate and coupled groups: matrices, small ones, and vectors that come in two
// pieces.
template <class T>
std::unique_ptr<Problem<T>> mixedProblem(int threads, bool deterministic = true) {
    auto problem = std::make_unique<Problem<T>>(deterministic, threads);
    const double infinity = std::numeric_limits<double>::infinity();
    std::size_t i = 0;
    const auto add = [&](Shape s, const Geometry& geometry, Rule rule, std::size_t group) {
        const auto parts = plans::pipeline(plans::combination(7 * i++, geometry, rule));
        problem->add(s, parts, group, 1.0 + static_cast<double>(i % 3));
    };
    static const Lp euclidean(2.0), largest(infinity);  // the plan refers to them
    for (const std::optional<double> outer : {std::optional<double>(), std::optional(3.0)})
        for (const Rule rule : {Rule::ball, Rule::regularization}) {
            const std::size_t group = problem->group(outer, rule);
            for (std::size_t k = 0; k < plans::geometries().size(); k += 2) {
                add({40, 30}, *plans::geometries()[k].part, rule, group);
                add({7, 5}, *plans::geometries()[k].part, rule, group);
            }
            add({1, 70000}, euclidean, rule, group);
            add({1, 70000}, largest, rule, group);
        }
    problem->finish();
    return problem;
}

}  // namespace

TEST("every item is done once, under a worker number that no other call has meanwhile") {
    for (const int threads : {1, 2, 3, 8})
        for (const Index items : {0, 1, 2, 7, 1000}) {
            std::vector<std::atomic<int>> done(static_cast<std::size_t>(items));
            std::vector<std::atomic<bool>> taken(static_cast<std::size_t>(threads));
            std::atomic<int> wrong = 0;
            Pool::run(threads, items, [&](int worker, Index i) {
                if (worker < 0 || worker >= threads) {
                    ++wrong;
                    return;
                }
                if (taken[static_cast<std::size_t>(worker)].exchange(true)) ++wrong;
                ++done[static_cast<std::size_t>(i)];
                if (i % 100 == 0) pause(50);
                taken[static_cast<std::size_t>(worker)] = false;
            });
            CHECK_EQ(wrong.load(), 0);
            for (const auto& count : done) CHECK_EQ(count.load(), 1);
        }
}

TEST("several threads take part when the work lasts") {
    std::mutex mutex;
    std::set<std::thread::id> seen;
    Pool::run(3, 30, [&](int, Index) {
        pause(2000);
        const std::scoped_lock lock(mutex);
        seen.insert(std::this_thread::get_id());
    });
    CHECK(seen.size() > 1);
    CHECK(Pool::helpers() >= 2);
}

TEST("what was written before the call is seen by the tasks, and what they write by the caller") {
    std::vector<int> numbers(100);  // plain memory: a race would show under ThreadSanitizer
    for (int round = 0; round < 500; ++round) {
        for (int& x : numbers) x = round;
        Pool::run(4, 100, [&](int, Index i) { numbers[static_cast<std::size_t>(i)] += static_cast<int>(i); });
        for (int i = 0; i < 100; ++i) CHECK_EQ(numbers[static_cast<std::size_t>(i)], round + i);
        if (round % 50 == 0) pause(100);  // longer than the helpers spin
    }
}

TEST("an exception reaches the caller, the smallest item's first, and the pool goes on") {
    for (const int threads : {1, 2, 4}) {
        int caught = -1;
        try {
            Pool::run(threads, 50, [](int, Index i) {
                if (i == 0) pause(500);
                throw static_cast<int>(i);
            });
        } catch (const int i) {
            caught = i;
        }
        CHECK_EQ(caught, 0);  // item 0 is always handed out, and is the last to fail here
        std::atomic<int> done = 0;
        Pool::run(threads, 50, [&](int, Index) { ++done; });
        CHECK_EQ(done.load(), 50);
    }
}

TEST("a call inside a task runs in the task's own thread") {
    std::atomic<int> wrong = 0, done = 0;
    Pool::run(2, 20, [&](int, Index) {
        const auto self = std::this_thread::get_id();
        Pool::run(4, 5, [&](int worker, Index) {
            if (worker != 0 || std::this_thread::get_id() != self) ++wrong;
            ++done;
        });
    });
    CHECK_EQ(wrong.load(), 0);
    CHECK_EQ(done.load(), 100);
}

TEST("callers from several threads at once all get their work done") {
    std::atomic<int> wrong = 0;
    std::vector<std::thread> callers;
    for (int k = 0; k < 4; ++k)
        callers.emplace_back([&] {
            for (int round = 0; round < 200; ++round) {
                std::vector<int> done(30);
                Pool::run(3, 30, [&](int, Index i) { ++done[static_cast<std::size_t>(i)]; });
                for (const int count : done)
                    if (count != 1) ++wrong;
            }
        });
    for (std::thread& caller : callers) caller.join();
    CHECK_EQ(wrong.load(), 0);
}

TEST("steps have the same bits on any number of threads") {
    support::forBothDtypes([]<class T>(T) {
        for (const int threads : {2, 3, 7}) {
            const auto several = mixedProblem<T>(threads);
            const auto reference = mixedProblem<T>(1);
            for (const Mode mode : {Mode::step, Mode::update, Mode::peek, Mode::step}) {
                CHECK(!reference->run(mode));
                CHECK(!several->run(mode));
                CHECK(several->snapshot() == reference->snapshot());
                CHECK(mode == Mode::step || several->targets == reference->targets);
                for (std::size_t b = 0; b < several->plan.blocks.size(); ++b) {
                    const BlockReport &x = several->plan.blocks[b]->report,
                                      &y = reference->plan.blocks[b]->report;
                    CHECK(x.dualNorm == y.dualNorm && x.stepSize == y.stepSize && x.updateRms == y.updateRms);
                }
                reference->refresh();
                several->refresh();
            }
        }
    });
}

TEST("plans in several threads at once share the pool and keep their bits") {
    const auto reference = mixedProblem<float>(1);
    for (int i = 0; i < 3; ++i) CHECK(!reference->run(Mode::step));
    std::atomic<int> wrong = 0;
    std::vector<std::thread> callers;
    for (int k = 0; k < 3; ++k)
        callers.emplace_back([&] {
            const auto own = mixedProblem<float>(2);
            for (int i = 0; i < 3; ++i) own->run(Mode::step);
            if (!(own->snapshot() == reference->snapshot())) ++wrong;
        });
    for (std::thread& caller : callers) caller.join();
    CHECK_EQ(wrong.load(), 0);
}

TEST("steps leave the BLAS's number of threads as they found it, also after an exception") {
    struct Broken final : Estimator {
        const float* estimate(const Context<float>&, const float* g, float*) const override { return g; }
        const double* estimate(const Context<double>&, const double*, double*) const override {
            throw std::runtime_error("on purpose");
        }
    };
    const int before = blas::threads();
    blas::setThreads(2);
    const int found = blas::threads();
    for (const bool deterministic : {true, false}) {
        const auto problem = mixedProblem<double>(3, deterministic);
        CHECK(!problem->run(Mode::step));
        CHECK_EQ(blas::threads(), found);
        Problem<double> broken(deterministic, 3);
        plans::Pick pick;
        pick.estimator = std::make_shared<Broken>();
        for (int i = 0; i < 4; ++i)
            broken.add({300, 300}, plans::pipeline(pick), broken.group(std::nullopt, Rule::ball));
        broken.finish();
        CHECK_THROWS_AS(broken.run(Mode::step), std::runtime_error);
        CHECK_EQ(blas::threads(), found);
    }
    blas::setThreads(before);
}

TEST("a batch is the oracle of each of its matrices") {
    support::forBothDtypes([]<class T>(T) {
        for (const auto& [name, geometry] : plans::geometries())
            for (const Shape s : {Shape{1, 1}, Shape{12, 7}, Shape{5, 20}}) {
                const Index count = 21, size = s.size();
                const std::vector<T> g = support::gaussian<T>(count * size, 5);
                std::vector<T> one(g.size()), several(g.size()), single(static_cast<std::size_t>(size));
                std::vector<OracleResult> results(static_cast<std::size_t>(count));
                CHECK_EQ(batchedBall<T>(*geometry, s, results, g.data(), one.data(), 1, true), Index{0});
                CHECK_EQ(batchedBall<T>(*geometry, s, results, g.data(), several.data(), 3, true), Index{0});
                CHECK_FOR(name, one == several);
                Arena arena;
                const Index last = (count - 1) * size;
                const OracleResult r = geometry->ball({{}, &arena, true}, s, g.data() + last, single.data());
                CHECK_FOR(name, r.dualNorm.full() == results.back().dualNorm.full());
                for (Index i = 0; i < size; ++i) {
                    const T expected = static_cast<T>(r.ballScale) * single[static_cast<std::size_t>(i)];
                    CHECK_FOR(name, several[static_cast<std::size_t>(last + i)] == expected);
                }
            }
    });
}

#ifdef FORKS
TEST("a child forked beside a busy pool steps on its own threads, and the parent goes on") {
    const auto expected = mixedProblem<float>(1);
    CHECK(!expected->run(Mode::step));
    std::atomic<bool> stop = false;
    std::thread busy([&] {
        while (!stop) Pool::run(3, 10, [](int, Index) { pause(20); });
    });
    for (int i = 0; i < 10; ++i) {
        const pid_t child = fork();
        if (child == 0) {
            const auto problem = mixedProblem<float>(2);
            const bool fresh = Pool::helpers() == 0;
            const bool same = !problem->run(Mode::step) && problem->snapshot() == expected->snapshot();
            std::atomic<int> helped = 0;  // by threads of its own
            Pool::run(3, 10, [&](int worker, Index) {
                pause(1000);
                helped += worker > 0;
            });
            _exit(fresh && same && helped > 0 ? 0 : 1);
        }
        int status = -1;
        waitpid(child, &status, 0);
        CHECK_EQ(status, 0);
    }
    stop = true;
    busy.join();
    const auto problem = mixedProblem<float>(2);
    CHECK(!problem->run(Mode::step));
    CHECK(problem->snapshot() == expected->snapshot());
}
#endif
