#include "linalg/blas_threads.h"

#include <algorithm>
#include <mutex>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define SCHATTOR_FORKS 1
#endif

#include "linalg/blas.h"

namespace schattor {
namespace {

// The one piece of process-wide state: it mirrors a setting that is itself process-wide.
std::mutex guard;
int holders = 0;
int found = 0;

#ifdef SCHATTOR_FORKS
// A child has one thread, and it holds no guard: those of the parent's other threads are dropped.
void dropHolders() {
    if (holders > 0 && found != 1) blas::setThreads(found);
    holders = 0;
    guard.unlock();
}
[[maybe_unused]] const int registered =
    pthread_atfork([] { guard.lock(); }, [] { guard.unlock(); }, dropHolders);
#endif

}  // namespace

SingleThreadedBlas::SingleThreadedBlas(bool wanted) : active_(wanted) {
    if (!active_) return;
    const std::scoped_lock lock(guard);
    if (holders++ == 0) {
        found = blas::threads();
        if (found != 1) blas::setThreads(1);
    }
}

SingleThreadedBlas::~SingleThreadedBlas() {
    if (!active_) return;
    const std::scoped_lock lock(guard);
    if (--holders == 0 && found != 1) blas::setThreads(found);
}

int blasThreads() {
    const std::scoped_lock lock(guard);
    return holders > 0 ? found : blas::threads();
}

int availableProcessors() {
#if defined(__linux__)
    cpu_set_t set;  // for more than CPU_SETSIZE processors the call fails
    if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

int defaultThreads() {
#ifdef SCHATTOR_HAVE_OPENBLAS
    return std::max(1, std::min(availableProcessors(), blasThreads()));
#else
    return availableProcessors();
#endif
}

const char* blasDescription() { return blas::description(); }

}  // namespace schattor
