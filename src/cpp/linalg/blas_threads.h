#pragma once

#include "base/types.h"

namespace schattor {

/// Holds the BLAS at one thread while it lives. The BLAS's thread count belongs to the whole
/// process: the first guard to enter notes it, the last one to leave restores it.
class SingleThreadedBlas {
public:
    explicit SingleThreadedBlas(bool wanted = true);
    ~SingleThreadedBlas();
    SingleThreadedBlas(const SingleThreadedBlas&) = delete;
    SingleThreadedBlas& operator=(const SingleThreadedBlas&) = delete;

private:
    bool active_;
};

/// A second BLAS thread slows blocks down whose smaller side is below this size.
inline constexpr Index threadedBlasFrom = 192;

/// Threads that the BLAS is set to use when no guard holds it.
int blasThreads();

/// Processors that this process may run on, by its affinity.
int availableProcessors();

/// The same, or fewer where the BLAS is set to fewer threads: OPENBLAS_NUM_THREADS=1 or a limit by
/// threadpoolctl are the user's word on threads. A BLAS whose count cannot be read says nothing.
int defaultThreads();

const char* blasDescription();

}  // namespace schattor
