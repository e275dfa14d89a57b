#pragma once

#include <string>
#include <vector>

#include "plan/pipeline.h"

namespace schattor {

/// What the parts of one block keep, as a tree: one PartState for each part, in the order of
/// Pipeline::parts(), and under it those of the parts that it holds.
template <class T>
class BlockState {
public:
    /// Raises std::invalid_argument where two parts keep a state of one name.
    BlockState(const Pipeline&, Shape);

    PartState<T>& operator[](std::size_t slot) { return parts_[slot]; }
    const PartState<T>& operator[](std::size_t slot) const { return parts_[slot]; }
    /// The i-th array of a part; those of the parts that it holds come first. Null: there are fewer.
    T* array(std::size_t slot, std::size_t i) const;

    /// An array or a number as the outside sees it.
    struct Entry {
        std::string name;
        Shape shape;
        void* data;
        bool isScalar;  ///< a double, whatever the block's dtype
    };
    std::vector<Entry> entries();

    void reset();
    /// Keeps a copy; restore() puts it back.
    void save();
    void restore();
    Index countNonFinite() const;
    /// Largest magnitude in the arrays of a part and of what it holds.
    double largest(std::size_t slot) const;
    /// Largest gain of a part and of what it holds.
    double gain(std::size_t slot, std::span<const double> slots) const;

private:
    std::vector<PartState<T>> parts_;
    struct Saved {
        std::vector<std::vector<T>> arrays;
        std::vector<double> scalars;
    };
    std::vector<Saved> saved_;  ///< in the order of the walk
};

}  // namespace schattor
