#pragma once

#include <exception>

namespace schattor {

/// Where a part that may fail in the middle of a step, as the library's own cannot, leaves why. A plan with
/// such a part can take a step back.
struct Failure {
    bool possible = false;  ///< there is such a part
    std::exception_ptr error;
};

}  // namespace schattor
