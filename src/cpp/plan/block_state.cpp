#include "plan/block_state.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "base/kernels.h"

namespace schattor {

namespace {

/// Calls f(name) for each array and number of a part's own state.
template <class T, class F>
void forEachName(const PartState<T>& own, F f) {
    for (const StateSlot& slot : own.slots) f(own.prefix + slot.name);
    for (const ScalarSlot& slot : own.scalarSlots) f(own.prefix + slot.name);
}

/// Who has taken a name of the state already, by name.
using Names = std::map<std::string, const Part*>;

/// Whose name a state would share; null: nobody's.
template <class T>
const Part* rivalOf(const PartState<T>& own, const Names& taken, std::string& name) {
    const Part* rival = nullptr;
    forEachName(own, [&](const std::string& each) {
        if (const auto found = taken.find(each); found != taken.end()) {
            rival = found->second;
            name = each;
        }
    });
    return rival;
}

/// Names that others have taken get a longer prefix, those of a part before those of what it holds. Outside
/// code finds the states of estimator, metric and update by their names: there must be no rivals.
template <class T>
void distinguish(PartState<T>& own, Names& taken, bool renames) {
    std::string name;
    while (const Part* rival = rivalOf(own, taken, name)) {
        if (!renames)
            throw std::invalid_argument(rival->name() + " and " + own.part->name() +
                                        " both keep a state called '" + name + "'");
        own.prefix = "next_" + own.prefix;
    }
    forEachName(own, [&](const std::string& each) { taken[each] = own.part; });
    for (PartState<T>& child : own.children) distinguish(child, taken, true);
}

}  // namespace

template <class T>
BlockState<T>::BlockState(const Pipeline& pipeline, Shape shape) {
    for (const Child& child : pipeline.parts(shape))
        parts_.push_back(child.part == nullptr ? PartState<T>()
                                               : declareState<T>(*child.part, child.shape, child.prefix));
    Names taken;
    for (std::size_t i = 0; i < parts_.size(); ++i)
        if (parts_[i].part != nullptr) distinguish(parts_[i], taken, i >= Pipeline::ofTransforms);
}

template <class T>
T* BlockState<T>::array(std::size_t slot, std::size_t i) const {
    T* result = nullptr;
    parts_[slot].forEach([&](const PartState<T>& own) {
        for (T* const array : own.pointers)
            if (i-- == 0) result = array;
    });
    return result;
}

template <class T>
std::vector<typename BlockState<T>::Entry> BlockState<T>::entries() {
    std::vector<Entry> result;
    for (PartState<T>& part : parts_)
        part.forEach([&](PartState<T>& own) {
            for (std::size_t i = 0; i < own.slots.size(); ++i)
                result.push_back(
                    {own.prefix + own.slots[i].name, own.slots[i].shape, own.pointers[i], false});
            for (std::size_t i = 0; i < own.scalars.size(); ++i)
                result.push_back({own.prefix + own.scalarSlots[i].name, {1, 1}, &own.scalars[i], true});
        });
    return result;
}

template <class T>
void BlockState<T>::reset() {
    for (PartState<T>& part : parts_) part.reset();
}

template <class T>
void BlockState<T>::save() {
    saved_.clear();
    for (const PartState<T>& part : parts_)
        part.forEach([&](const PartState<T>& own) { saved_.push_back({own.arrays, own.scalars}); });
}

template <class T>
void BlockState<T>::restore() {
    std::size_t next = 0;
    for (PartState<T>& part : parts_)
        part.forEach([&](PartState<T>& own) {
            const Saved& saved = saved_[next++];
            for (std::size_t j = 0; j < saved.arrays.size(); ++j)
                std::copy(saved.arrays[j].begin(), saved.arrays[j].end(), own.pointers[j]);
            std::copy(saved.scalars.begin(), saved.scalars.end(), own.scalars.begin());
        });
    saved_.clear();
}

template <class T>
Index BlockState<T>::countNonFinite() const {
    Index found = 0;
    for (const PartState<T>& part : parts_)
        part.forEach([&](const PartState<T>& own) {
            for (const auto& array : own.arrays)
                found += kernels::countNonFinite(static_cast<Index>(array.size()), array.data());
            found += kernels::countNonFinite(static_cast<Index>(own.scalars.size()), own.scalars.data());
        });
    return found;
}

template <class T>
double BlockState<T>::largest(std::size_t slot) const {
    double found = 0.0;
    parts_[slot].forEach([&](const PartState<T>& own) {
        for (const auto& array : own.arrays)
            found = std::max(found, kernels::maxAbs(static_cast<Index>(array.size()), array.data()));
    });
    return found;
}

template <class T>
double BlockState<T>::gain(std::size_t slot, std::span<const double> slots) const {
    double most = 1.0;
    parts_[slot].forEach([&](const PartState<T>& own) {
        if (own.part != nullptr) most = std::max(most, own.part->gain(slots));
    });
    return most;
}

template class BlockState<float>;
template class BlockState<double>;

}  // namespace schattor
