#include "base/part.h"

#include <stdexcept>
#include <typeinfo>

#if __has_include(<cxxabi.h>)
#include <cxxabi.h>
#endif

#include <cstdlib>
#include <memory>

namespace schattor {
namespace {

// Facts that do not depend on the shape are asked for this one.
constexpr Shape anyShape{2, 2};

std::string demangled(const char* name) {
#if __has_include(<cxxabi.h>)
    int status = 0;
    const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                      std::free);
    if (status == 0) return text.get();
#endif
    return name;
}

const char* textOf(Input input) {
    switch (input) {
        case Input::weights:
            return "the weights";
        case Input::partner:
            return "the weights of a paired block";
        case Input::previousGradient:
            return "the gradient at the previous point";
        case Input::activations:
            return "activations";
        case Input::deltas:
            return "deltas";
        case Input::perExample:
            return "gradients per example";
    }
    return "";
}

}  // namespace

std::string Part::name() const {
    const std::string full = demangled(typeid(*this).name());
    const std::size_t at = full.find_last_of(": ");
    return at == std::string::npos ? full : full.substr(at + 1);
}

bool Part::elementwise() const {
    if (!ownElementwise()) return false;
    for (const Child& child : children(anyShape))
        if (!child.part->elementwise()) return false;
    return true;
}

Inputs Part::reads() const {
    Inputs result = ownReads();
    for (const Child& child : children(anyShape)) result = result | child.part->reads();
    return result;
}

bool Part::keepsState(Shape shape) const {
    if (!state(shape).empty() || !scalars().empty()) return true;
    for (const Child& child : children(shape))
        if (child.part->keepsState(child.shape)) return true;
    return false;
}

double Part::largestMagnitude(Shape shape, Dtype dtype) const {
    double most = ownLargestMagnitude(shape, dtype);
    for (const Child& child : children(shape))
        most = std::min(most, child.part->largestMagnitude(child.shape, dtype) / child.magnification);
    return most;
}

double Part::largestSample(Shape shape, Dtype dtype) const {
    double most = ownLargestSample(shape, dtype);
    for (const Child& child : children(shape))
        most = std::min(most, child.part->largestSample(child.shape, dtype));
    return most;
}

void Part::check(Shape shape) const {
    ownCheck(shape);
    for (const Child& child : children(shape)) child.part->check(child.shape);
}

void Part::checkChildren(Shape shape) const {
    for (const Child& child : children(shape)) {
        checkHeld(*this, child);
        child.part->checkChildren(child.shape);
    }
}

void checkHeld(const Part& holder, const Child& child) {
    const std::string pair = holder.name() + " cannot hold " + child.part->name() + ", which ";
    if (child.part->sums() > 0)
        throw std::invalid_argument(pair + "needs sums over all blocks: it must stand in the recipe itself");
    const Inputs missing = child.part->reads() & child.hidden;
    for (const Input input : {Input::weights, Input::partner, Input::previousGradient, Input::activations,
                              Input::deltas, Input::perExample})
        if (missing.has(input))
            throw std::invalid_argument(pair + "reads " + textOf(input) + ": inside there are none");
}

template <class T>
PartState<T> declareState(const Part& part, Shape shape, const std::string& prefix) {
    PartState<T> own;
    own.part = &part;
    own.shape = shape;
    own.prefix = prefix;
    own.slots = part.state(shape);
    for (const StateSlot& slot : own.slots)
        own.arrays.emplace_back(static_cast<std::size_t>(slot.shape.size()));
    for (auto& array : own.arrays) own.pointers.push_back(array.data());
    own.scalarSlots = part.scalars();
    own.scalars.resize(own.scalarSlots.size());
    for (const Child& child : part.children(shape))
        own.children.push_back(declareState<T>(*child.part, child.shape, prefix + child.prefix));
    own.reset();
    return own;
}

template PartState<float> declareState<float>(const Part&, Shape, const std::string&);
template PartState<double> declareState<double>(const Part&, Shape, const std::string&);

}  // namespace schattor
