#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/context.h"
#include "base/inputs.h"

namespace schattor {

class Part;

/// A part that another one holds.
struct Child {
    const Part* part = nullptr;
    Shape shape;              ///< in which it works, for the shape of the one that holds it
    std::string prefix = {};  ///< of the names of its state
    /// How many times larger than what the holder is given the gradients can be that it sees.
    double magnification = 1.0;
    Inputs hidden = {};  ///< what it cannot be given: its coordinates are others
};

/// A step of the pipeline. Parts are immutable and hold no state of their own: the plan owns a tree of
/// PartStates for each block and hands them over in the Context, so one part serves any number of blocks.
///
/// A fact about a part is a fold over it and all that it holds. The own...() functions say what the part adds
/// by itself.
class Part {
public:
    virtual ~Part() = default;
    /// Its own state; what its children keep is not in it.
    virtual std::vector<StateSlot> state(Shape) const { return {}; }
    virtual std::vector<ScalarSlot> scalars() const { return {}; }
    /// The parts that it holds, in the order of Context::child(). How many there are does not depend on the
    /// shape.
    virtual std::vector<Child> children(Shape) const { return {}; }

    /// Whether each entry of the results and of the state depends on the same entry of the inputs only, so
    /// that a block may be worked through in pieces of any size, each as a block with one row.
    bool elementwise() const;
    /// What it reads of a step beside the gradient.
    Inputs reads() const;
    bool readsWeights() const { return reads().has(Input::weights); }
    bool keepsState(Shape) const;
    /// Largest magnitude of a gradient that it can take, and of activations or deltas.
    double largestMagnitude(Shape, Dtype) const;
    double largestSample(Shape, Dtype) const;
    /// Raises std::invalid_argument for a shape that it cannot take.
    void check(Shape) const;
    /// Raises std::invalid_argument where it holds a part that it cannot serve, at any depth.
    void checkChildren(Shape) const;

    /// How many times larger than the largest gradient so far its results and its state can be.
    virtual double gain(std::span<const double> /*slots*/) const { return 1.0; }
    /// How many sums over all blocks of its recipe it needs; see Sharing.
    virtual Index sums() const { return 0; }

    /// Of its class.
    std::string name() const;

protected:
    virtual bool ownElementwise() const { return false; }
    virtual Inputs ownReads() const { return {}; }
    virtual double ownLargestMagnitude(Shape, Dtype dtype) const { return largestFinite(dtype); }
    virtual double ownLargestSample(Shape, Dtype dtype) const { return largestFinite(dtype); }
    virtual void ownCheck(Shape) const {}
};

/// Raises std::invalid_argument where `holder` cannot serve this part, or what that holds.
void checkHeld(const Part& holder, const Child&);

/// The state of a part and of all that it holds, as declared.
template <class T>
PartState<T> declareState(const Part& part, Shape shape, const std::string& prefix = "");

}  // namespace schattor
