// SingleThreadedBlas: the BLAS's thread count belongs to the whole process and must be left as found.
#include "linalg/blas_threads.h"

#include <atomic>
#include <stdexcept>
#include <thread>

#include "linalg/blas.h"
#include "support.h"

using schattor::SingleThreadedBlas;
namespace blas = schattor::blas;

namespace {

// Puts the BLAS at `count` threads for one test; a BLAS without thread control stays at one.
class BlasAt {
public:
    explicit BlasAt(int count) : before_(blas::threads()) { blas::setThreads(count); }
    ~BlasAt() { blas::setThreads(before_); }
    BlasAt(const BlasAt&) = delete;
    BlasAt& operator=(const BlasAt&) = delete;

private:
    int before_;
};

}  // namespace

TEST("the bundled BLAS can be set to two threads, or the tests below show nothing") {
    const BlasAt two(2);
#ifdef SCHATTOR_HAVE_OPENBLAS
    CHECK_EQ(blas::threads(), 2);
#else
    CHECK_EQ(blas::threads(), 1);
#endif
}

TEST("a guard holds the BLAS at one thread and restores what it found") {
    for (const int count : {1, 2, 3}) {
        const BlasAt at(count);
        const int found = blas::threads();
        {
            const SingleThreadedBlas guard;
            CHECK_EQ(blas::threads(), 1);
            CHECK_EQ(schattor::blasThreads(), found);  // what the user has set, seen from inside
        }
        CHECK_EQ(blas::threads(), found);
    }
}

TEST("nested guards restore the count only when the outermost leaves") {
    const BlasAt two(2);
    const int found = blas::threads();
    {
        const SingleThreadedBlas outer;
        {
            const SingleThreadedBlas inner;
            const SingleThreadedBlas innermost;
            CHECK_EQ(blas::threads(), 1);
        }
        CHECK_EQ(blas::threads(), 1);
        CHECK_EQ(schattor::blasThreads(), found);
    }
    CHECK_EQ(blas::threads(), found);
}

TEST("a guard that is not wanted changes nothing") {
    const BlasAt two(2);
    const int found = blas::threads();
    {
        const SingleThreadedBlas guard(false);
        CHECK_EQ(blas::threads(), found);
        {
            const SingleThreadedBlas wanted(true);
            CHECK_EQ(blas::threads(), 1);
        }
        CHECK_EQ(blas::threads(), found);
    }
    CHECK_EQ(blas::threads(), found);
}

TEST("a guard left by an exception restores the count") {
    const BlasAt two(2);
    const int found = blas::threads();
    try {
        const SingleThreadedBlas guard;
        throw std::runtime_error("on purpose");
    } catch (const std::runtime_error&) {
    }
    CHECK_EQ(blas::threads(), found);
}

TEST("guards of several threads overlap, and the last one to leave restores the count") {
    const BlasAt two(2);
    const int found = blas::threads();
    std::atomic<int> wrong = 0;
    std::atomic<bool> go = false;
    const auto work = [&] {
        while (!go) std::this_thread::yield();
        for (int i = 0; i < 2000; ++i) {
            const SingleThreadedBlas guard;
            if (blas::threads() != 1) ++wrong;
            if (i % 3 == 0) std::this_thread::yield();
            const SingleThreadedBlas nested;
            if (blas::threads() != 1) ++wrong;
        }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back(work);
    go = true;
    for (std::thread& thread : threads) thread.join();
    CHECK_EQ(wrong.load(), 0);
    CHECK_EQ(blas::threads(), found);
}

TEST("a guard that outlives another thread's guard keeps the BLAS at one thread") {
    const BlasAt two(2);
    const int found = blas::threads();
    {
        const SingleThreadedBlas outer;
        std::thread([] { const SingleThreadedBlas guard; }).join();
        CHECK_EQ(blas::threads(), 1);
    }
    CHECK_EQ(blas::threads(), found);
}
