// From the second step on the plan allocates nothing. The program replaces the allocator by one that
// notes who called it while the calling thread, or the program, is between two marks.
//
// With glibc the whole malloc family is replaced, so that C++, C and Fortran code is seen alike,
// libraries included. Elsewhere, and under a sanitizer, which needs malloc for itself, only C++'s
// operator new is replaced.
//
// The BLAS is the one exception: a call that comes from its shared library is counted apart. It does
// allocate, from matrices of about 64 rows on: the AVX-512 kernels of OpenBLAS's gemm pack small
// operands into memory from malloc, and so does its division of work among threads. Such a call is
// told by its return address; nothing is excluded when the BLAS is linked statically.
#include <array>
#include <atomic>
#include <cstdlib>
#include <new>
#include <thread>

#include "estimator/recursive.h"
#include "linalg/blas.h"
#include "linalg/blas_threads.h"
#include "noise/second_moment.h"
#include "plans.h"
#include "precond/distance_estimate.h"
#include "transform/private_mean.h"
#include "transform/variance_reduction.h"
#include "update/extrapolated.h"

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define REPLACES_MALLOC 1
#include <dlfcn.h>
#include <malloc.h>
#endif

namespace {

constexpr std::size_t mostCallers = 4096;
thread_local bool marking = false;
std::atomic<bool> markingAll = false;
std::atomic<std::size_t> calls = 0;
std::array<const void*, mostCallers> callers;

void note(const void* caller) {
    if (!marking && !markingAll) return;
    const std::size_t number = calls++;
    if (number < mostCallers) callers[number] = caller;
}

}  // namespace

#ifdef REPLACES_MALLOC

#define EXPORTED extern "C" __attribute__((visibility("default")))

extern "C" {
// NOLINTBEGIN(bugprone-reserved-identifier): glibc's names
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
// NOLINTEND(bugprone-reserved-identifier)
}

EXPORTED void* malloc(std::size_t size) noexcept {
    note(__builtin_return_address(0));
    return __libc_malloc(size);
}
EXPORTED void* calloc(std::size_t count, std::size_t size) noexcept {
    note(__builtin_return_address(0));
    return __libc_calloc(count, size);
}
EXPORTED void* realloc(void* p, std::size_t size) noexcept {
    note(__builtin_return_address(0));
    return __libc_realloc(p, size);
}
EXPORTED void* memalign(std::size_t alignment, std::size_t size) noexcept {
    note(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}
EXPORTED void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    note(__builtin_return_address(0));
    return __libc_memalign(alignment, size);
}
EXPORTED int posix_memalign(void** p, std::size_t alignment, std::size_t size) noexcept {
    note(__builtin_return_address(0));
    *p = __libc_memalign(alignment, size);
    return *p == nullptr ? 12 : 0;  // ENOMEM
}

#else

// Out of line, or GCC sees malloc's memory end in operator delete and warns of a mismatch.
#if defined(__GNUC__)
#define OUT_OF_LINE __attribute__((noinline))
#else
#define OUT_OF_LINE
#endif

OUT_OF_LINE void* operator new(std::size_t size) {
    note(nullptr);
    if (void* p = std::malloc(size > 0 ? size : 1)) return p;
    throw std::bad_alloc();
}
OUT_OF_LINE void* operator new(std::size_t size, std::align_val_t alignment) {
    note(nullptr);
    const auto a = static_cast<std::size_t>(alignment);
    if (void* p = std::aligned_alloc(a, (size + a - 1) / a * a)) return p;
    throw std::bad_alloc();
}
// std::stable_sort asks for its buffer this way; the sanitizer's own would not match the delete below.
OUT_OF_LINE void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    note(nullptr);
    return std::malloc(size > 0 ? size : 1);
}
OUT_OF_LINE void operator delete(void* p) noexcept { std::free(p); }
OUT_OF_LINE void operator delete(void* p, std::size_t) noexcept { std::free(p); }
OUT_OF_LINE void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
OUT_OF_LINE void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

#endif

namespace {

using namespace schattor;  // NOLINT
using plans::Problem;

#define JOIN_(a, b, c) a##b##c
#define JOIN(a, b, c) JOIN_(a, b, c)
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

// Base address of the shared library that holds the BLAS; null when it is part of the program.
const void* blasLibrary() {
#ifdef REPLACES_MALLOC
    Dl_info blas{}, program{};
    const void* symbol = dlsym(RTLD_DEFAULT, TEXT(JOIN(SCHATTOR_F77_PREFIX, dgemm, _)));
    if (symbol == nullptr || dladdr(symbol, &blas) == 0) return nullptr;
    if (dladdr(reinterpret_cast<const void*>(&blasLibrary), &program) == 0) return nullptr;
    return blas.dli_fbase == program.dli_fbase ? nullptr : blas.dli_fbase;
#else
    return nullptr;
#endif
}

struct Count {
    std::size_t own = 0;
    std::size_t blas = 0;
    std::string where;  // of the first own one
};

// The allocations that f() makes in this thread, or that any thread makes meanwhile.
template <class F>
Count allocationsOf(F f, bool anyThread = false) {
    calls = 0;
    marking = true;
    markingAll = anyThread;
    f();
    marking = false;
    markingAll = false;
    const std::size_t seen = calls;
    Count count;
    [[maybe_unused]] const void* library = blasLibrary();
    for (std::size_t i = 0; i < seen; ++i) {
#ifdef REPLACES_MALLOC
        Dl_info info{};
        const bool known = i < mostCallers && dladdr(callers[i], &info) != 0;
        if (known && library != nullptr && info.dli_fbase == library) {
            ++count.blas;
            continue;
        }
        if (count.own == 0 && known)
            count.where =
                std::string(info.dli_fname) + " " + (info.dli_sname != nullptr ? info.dli_sname : "");
#endif
        ++count.own;
    }
    return count;
}

void escape(const void* p) {
    [[maybe_unused]] static const void* volatile sink;
    sink = p;
    sink = nullptr;  // *p may end before the program does
}

const std::vector<Shape> shapes = {{1, 1}, {1, 17}, {17, 1}, {16, 16}, {24, 10}, {10, 24}, {40, 3}};

}  // namespace

TEST("control: the counter sees operator new, vectors, strings and aligned storage") {
    CHECK_EQ(allocationsOf([] {}).own, std::size_t{0});
    CHECK_EQ(allocationsOf([] {
                 int* p = new int(1);
                 escape(p);
                 delete p;
             }).own,
             std::size_t{1});
    CHECK_EQ(allocationsOf([] {
                 const std::vector<double> v(100);
                 escape(v.data());
             }).own,
             std::size_t{1});
    CHECK_EQ(allocationsOf([] {
                 void* p = ::operator new(100, std::align_val_t{64});
                 escape(p);
                 ::operator delete(p, std::align_val_t{64});
             }).own,
             std::size_t{1});
    std::atomic<int> phase = 0;
    std::thread other([&] {
        while (phase < 1) std::this_thread::yield();
        const std::vector<double> v(100);
        escape(v.data());
        phase = 2;
    });
    CHECK_EQ(allocationsOf(
                 [&] {
                     phase = 1;
                     while (phase < 2) std::this_thread::yield();
                 },
                 true)
                 .own,
             std::size_t{1});
    other.join();
#ifdef REPLACES_MALLOC
    CHECK_EQ(allocationsOf([] {
                 void* p = std::malloc(10);
                 escape(p);
                 p = std::realloc(p, 1000);  // NOLINT(bugprone-suspicious-realloc-usage)
                 escape(p);
                 std::free(p);
                 p = std::calloc(3, 3);
                 escape(p);
                 std::free(p);
             }).own,
             std::size_t{3});
#endif
}

TEST("control: an allocation inside a part of the pipeline is seen") {
    struct Leaky final : Estimator {
        const float* estimate(const Context<float>&, const float* g, float*) const override { return g; }
        const double* estimate(const Context<double>& c, const double* g, double*) const override {
            const std::vector<double> copy(g, g + c.size());
            escape(copy.data());
            return g;
        }
    };
    Problem<double> problem;
    plans::Pick pick;
    pick.estimator = std::make_shared<Leaky>();
    problem.add({3, 3}, plans::pipeline(pick), problem.group(std::nullopt, Rule::ball));
    problem.finish();
    problem.run(Mode::step);
    CHECK_EQ(allocationsOf([&] { problem.run(Mode::step); }).own, std::size_t{1});
}

TEST("from the second run on, steps and updates allocate nothing: every part, coupling, dtype and shape") {
    support::forBothDtypes([]<class T>(T) {
        const double infinity = std::numeric_limits<double>::infinity();
        std::size_t i = 0;
        for (const std::optional<double> outer :
             {std::optional<double>(), std::optional(1.0), std::optional(2.0), std::optional(3.0),
              std::optional(infinity)})
            for (const Rule rule : {Rule::ball, Rule::regularization})
                for (const auto& [name, geometry] : plans::geometries()) {
                    Problem<T> problem;
                    const std::size_t group = problem.group(outer, rule, Value::fromSlot(0));
                    for (const Shape s : shapes)
                        problem.add(s, plans::pipeline(plans::combination(i++, *geometry, rule)), group, 2.0);
                    problem.finish();
                    problem.slots = {0.01};
                    // The first step need not see every block.
                    std::fill(problem.present.begin() + 1, problem.present.end(), false);
                    problem.run(Mode::step);
                    std::fill(problem.present.begin(), problem.present.end(), true);
                    for (const Mode mode : {Mode::step, Mode::step, Mode::update, Mode::step}) {
                        problem.present[i % shapes.size()] = mode != Mode::update;
                        Refusal refusal;
                        const Count count = allocationsOf([&] { refusal = problem.run(mode); });
                        const std::string label = name + ", " + support::nameOf<T> +
                                                  ", r = " + (outer ? check::show(*outer) : "none") + ", " +
                                                  std::to_string(count.own) + " calls, first from " +
                                                  count.where;
                        CHECK_FOR(label, !refusal);
                        CHECK_FOR(label, count.own == 0);
                    }
                }
        CHECK(i >= 2 * plans::combinations());  // each combination of the other parts came up
    });
}

TEST("nor do shared sums, extras, noise, clipping and extrapolation") {
    support::forBothDtypes([]<class T>(T) {
        Problem<T> problem;
        const std::size_t group = problem.group(std::nullopt, Rule::regularization);
        plans::Pick pick;
        pick.rule = Rule::regularization;
        pick.update = std::make_shared<Extrapolated>(std::make_shared<Additive>(Decay::decoupled, 0.1), 0.9);
        Pipeline clipped = plans::pipeline(pick), estimated = plans::pipeline(pick),
                 recursive = plans::pipeline(pick), blurred = plans::pipeline(pick);
        clipped.transforms = {std::make_shared<VarianceReduction>(0.1, 0.9, Reference::last),
                              std::make_shared<ClipNorm>(0.5)};
        estimated.preconditioner = std::make_shared<DistanceEstimate>(
            DistanceEstimate::Options{0.9, 0.999, 0.99, 1e-8, 1e-3, 1.0, 2.0, true, false, 3});
        recursive.estimator = std::make_shared<AdaptiveRecursive>(10.0, 100.0);
        blurred.transforms = {std::make_shared<PrivateMean>(1.0, 1.0, 0)};
        for (const Pipeline& parts : {clipped, estimated, recursive, blurred})
            problem.add({24, 10}, parts, parts.sharing() ? problem.group(std::nullopt, pick.rule) : group);
        problem.finish();
        const auto other = support::gaussian<T>(240, 1);
        problem.io[2].extras.previous = other.data();
        problem.io[3].extras.perExample = {other.data(), 1};
        problem.run(Mode::step);
        for (const Mode mode : {Mode::step, Mode::update})
            CHECK_EQ(allocationsOf([&] { problem.run(mode); }).own, std::size_t{0});
    });
}

TEST("on two threads steps and updates allocate nothing either, in no thread") {
    support::forBothDtypes([]<class T>(T) {
        for (const std::optional<double> outer : {std::optional<double>(), std::optional(3.0)}) {
            Problem<T> problem(true, 2);
            std::size_t i = 0;
            for (const Rule rule : {Rule::ball, Rule::regularization}) {
                const std::size_t group = problem.group(outer, rule);
                for (const auto& [name, geometry] : plans::geometries())
                    problem.add({40, 24}, plans::pipeline(plans::combination(i++, *geometry, rule)), group);
                plans::Pick pick;
                pick.rule = rule;
                problem.add({3, 70000}, plans::pipeline(pick), group);  // in pieces
            }
            problem.finish();
            for (int step = 0; step < 3; ++step) problem.run(Mode::step);  // the BLAS meets its threads
            for (const Mode mode : {Mode::step, Mode::update}) {
                const Count count = allocationsOf([&] { problem.run(mode); }, true);
                CHECK_FOR(std::string(support::nameOf<T>) + ", first from " + count.where, count.own == 0);
            }
        }
    });
}

TEST("a refused step allocates nothing either") {
    Problem<double> problem;
    problem.add({4, 4}, plans::pipeline({}), problem.group(2.0, Rule::ball));
    problem.finish();
    problem.run(Mode::step);
    problem.gradients[0][5] = std::numeric_limits<double>::quiet_NaN();
    Refusal refusal;
    CHECK_EQ(allocationsOf([&] { refusal = problem.run(Mode::step); }).own, std::size_t{0});
    CHECK(refusal.kind == Refusal::Kind::gradientNotFinite);
}

TEST("peek may allocate to put the state back; the steps after it do not") {
    Problem<double> problem;
    problem.add({8, 5}, plans::pipeline(plans::combination(0, *plans::geometries()[9].part, Rule::ball)),
                problem.group(2.0, Rule::ball));
    problem.finish();
    problem.run(Mode::step);
    problem.run(Mode::peek);
    CHECK_EQ(allocationsOf([&] { problem.run(Mode::step); }).own, std::size_t{0});
}

TEST("large blocks allocate nothing outside of the BLAS, on one BLAS thread and on several") {
    support::forBothDtypes([]<class T>(T) {
        const int before = blas::threads();
        blas::setThreads(2);
        for (const bool deterministic : {true, false}) {
            Problem<T> problem(deterministic);
            const std::size_t group = problem.group(3.0, Rule::ball);
            for (const Shape s : {Shape{200, 220}, Shape{260, 192}, Shape{5, 5}})
                for (const auto& name :
                     {"Schatten p = 4", "Newton-Schulz polar_express", "KyFan by subspace"}) {
                    const auto found = std::find_if(plans::geometries().begin(), plans::geometries().end(),
                                                    [&](const auto& g) { return g.name == name; });
                    REQUIRE(found != plans::geometries().end());
                    problem.add(s, plans::pipeline(plans::combination(0, *found->part, Rule::ball)), group);
                }
            problem.finish();
            problem.run(Mode::step);
            const Count count = allocationsOf([&] { problem.run(Mode::step); });
            CHECK_FOR(std::string(support::nameOf<T>) + ", first from " + count.where, count.own == 0);
            std::printf("%s, %s: %zu allocations inside the BLAS\n", support::nameOf<T>,
                        deterministic ? "one BLAS thread" : "BLAS threads as set", count.blas);
        }
        blas::setThreads(before);
    });
}

TEST("running averages of second moments allocate nothing") {
    support::forBothDtypes([]<class T>(T) {
        for (const Form form : {Form::full, Form::diagonal, Form::sketch})
            for (const Shape s : shapes) {
                const SecondMoment moment{form, s,
                                          form == Form::sketch ? std::min<Index>(2, s.smaller()) : 0};
                const std::vector<T> x = support::gaussian<T>(s.size(), 1),
                                     y = support::gaussian<T>(s.size(), 2);
                const std::vector<T> test = support::gaussian<T>(2 * s.smaller(), 3);
                std::vector<T> difference(x.size()), work(static_cast<std::size_t>(moment.workspace()));
                std::vector<T> sum(static_cast<std::size_t>(moment.entries()));
                const Count count = allocationsOf([&] {
                    addDifference(moment, 0.9, 0.1, x.data(), y.data(), test.data(), difference.data(),
                                  work.data(), sum.data());
                });
                CHECK_FOR(support::text(s) + ", first from " + count.where, count.own == 0);
            }
    });
}
