#pragma once

#include <string>
#include <vector>

#include "base/context.h"

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

/// A step of the pipeline. Parts are immutable and hold no state of their own: the plan owns one
/// set of state arrays per block and part and hands it over in the Context, so one part serves any
/// number of blocks.
class Part {
public:
    virtual ~Part() = default;
    virtual std::vector<StateSlot> state(Shape) const { return {}; }
    virtual std::vector<ScalarSlot> scalars() const { return {}; }
    /// Arena bytes that the part takes while it works on one block.
    virtual std::size_t scratch(Shape, Dtype) const { return 0; }
    /// Whether each entry of the results and of the state depends on the same entry of the inputs only, so
    /// that a block may be worked through in pieces of any size, each as a block with one row.
    virtual bool elementwise() const { return false; }
    /// Whether the part reads the weights, which must be finite then.
    virtual bool readsWeights() const { return false; }
    /// Largest magnitude of a gradient that the part can take, and of activations or deltas.
    virtual double largestMagnitude(Shape, Dtype dtype) const { return largestFinite(dtype); }
    virtual double largestSample(Shape, Dtype dtype) const { return largestFinite(dtype); }
};

}  // namespace schattor
