#pragma once

#include "geometry/geometry.h"

namespace schattor {

inline const char* backendName(Backend backend) {
    switch (backend) {
        case Backend::none:
            return "none";
        case Backend::frobenius:
            return "frobenius";
        case Backend::entrywise:
            return "entrywise";
        case Backend::svd:
            return "svd";
        case Backend::gram:
            return "gram";
        case Backend::band:
            return "band";
        case Backend::chebyshev:
            return "chebyshev";
        case Backend::newtonSchulz:
            return "newton_schulz";
        case Backend::qdwh:
            return "qdwh";
        case Backend::subspace:
            return "subspace";
        case Backend::user:
            return "user";
    }
    return "none";
}

}  // namespace schattor
