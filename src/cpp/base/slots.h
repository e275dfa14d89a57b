#pragma once

#include <string>
#include <vector>

#include "base/types.h"

namespace schattor {

/// A state array that a part keeps for each block: as large as the block unless `shape` says otherwise.
struct StateSlot {
    std::string name;
    Shape shape;
    double initial = 0.0;
    std::vector<double> entries = {};  ///< where they do not all start at `initial`
};

/// A number that a part keeps for each block, in double whatever the block's dtype.
struct ScalarSlot {
    std::string name;
    double initial = 0.0;
};

}  // namespace schattor
