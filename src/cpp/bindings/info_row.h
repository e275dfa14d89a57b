#pragma once

#include <pybind11/pybind11.h>

#include "bindings/backend_names.h"

namespace schattor {

/// What Python's OracleInfo holds, in its order, with the dual norm exact.
inline pybind11::tuple infoRow(const OracleResult& r) {
    return pybind11::make_tuple(r.dualNorm, backendName(r.backend), r.residual, r.fallbacks, r.approximate,
                                r.operatorNorm, r.iterations);
}

}  // namespace schattor
