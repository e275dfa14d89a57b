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

int blasThreads();
const char* blasDescription();

}  // namespace schattor
