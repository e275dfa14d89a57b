#include "base/blas_threads.h"

#include <mutex>

#include "linalg/blas.h"

namespace schattor {
namespace {

// The one piece of process-wide state: it mirrors a setting that is itself process-wide.
std::mutex guard;
int holders = 0;
int found = 0;

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

const char* blasDescription() { return blas::description(); }

}  // namespace schattor
