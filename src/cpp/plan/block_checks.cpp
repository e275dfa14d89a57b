#include "plan/block_checks.h"

#include <cmath>
#include <limits>

#include "base/kernels.h"

namespace schattor {

template <class T>
BlockChecks<T>::BlockChecks(const Pipeline& parts, Shape shape)
    : parts_(parts), shape_(shape), readsWeights_(parts.reads().has(Input::weights)) {
    const Dtype dtype = dtypeOf<T>;
    mostOfUpdate_ = parts.update->largestMagnitude(shape, dtype);
    most_ = mostOfSamples_ = largestFinite(dtype);
    for (const Child& child : parts.parts(shape)) {
        if (child.part == nullptr) continue;
        if (child.part != parts.update.get())
            most_ = std::min(most_, child.part->largestMagnitude(child.shape, dtype));
        mostOfSamples_ = std::min(mostOfSamples_, child.part->largestSample(child.shape, dtype));
    }
}

template <class T>
Maxima BlockChecks<T>::scan(const T* gradient, const T* weights, Index begin, Index length) const {
    const auto largest = [&](const T* x) {
        const double found = kernels::maxAbs(length, x + begin);
        return std::isfinite(found) ? found : std::numeric_limits<double>::infinity();
    };
    return {largest(gradient), readsWeights_ ? largest(weights) : 0.0};
}

template <class T>
double BlockChecks<T>::limit(std::span<const double> slots) const {
    return std::min(largestFinite(dtypeOf<T>) / parts_.estimator->gain(slots), most_);
}

template <class T>
double BlockChecks<T>::limitOfUpdate(std::span<const double> slots, const BlockState<T>& state) const {
    return mostOfUpdate_ / state.gain(Pipeline::ofUpdate, slots);
}

template <class T>
Magnitudes BlockChecks<T>::check(const BlockIo& io, const Maxima& maxima, const Context<T>& own,
                                 const BlockState<T>& state, double bound) const {
    using Kind = Refusal::Kind;
    const std::span<const double> slots = own.slots;
    const double finite = largestFinite(dtypeOf<T>);
    if (!std::isfinite(maxima.gradient))
        return {refuse(Kind::gradientNotFinite, shape_.size(), static_cast<const T*>(io.gradient))};
    if (!std::isfinite(maxima.weights)) return {refuse(Kind::weightsNotFinite, shape_.size(), own.weights)};
    std::array<double, 4> extras = {};
    if (const Refusal refusal = scanExtras(io, extras)) return {refusal};
    double largest = std::max({maxima.gradient, extras[0], extras[3]});  // gradients all three
    for (const auto& transform : parts_.transforms) {
        largest = transform->magnitude(slots, largest, maxima.weights);
        if (!(largest <= finite))  // the next one may bound it again
            return {{Kind::gradientTooLarge, 0, 0, largest, finite}};
    }
    // The update sees the gradient before it pulls it back, the others afterwards.
    const double most = limitOfUpdate(slots, state);
    if (!(largest <= most)) return {{Kind::gradientTooLarge, 0, 0, largest, most}};
    largest = parts_.update->pulledMagnitude(own, largest);
    const double gain = parts_.estimator->gain(slots), limit = this->limit(slots);
    Magnitudes result;
    if (!(largest <= limit)) result.refusal = {Kind::gradientTooLarge, 0, 0, largest, limit};
    for (const std::size_t i : {1, 2})
        if (extras[i] > 0.0 && !(extras[i] <= mostOfSamples_))
            result.refusal = {Kind::extraTooLarge, 0, 0, extras[i], mostOfSamples_, i};
    const double b = parts_.estimator->retention(slots);
    result.estimate = std::max(largest * gain, b * bound + (1.0 - b) * largest * gain);
    // A preconditioner brings the estimate to its own scale.
    if (parts_.scaling->growsWithNorm() && !parts_.preconditioner && !parts_.frame)
        result.norm = result.estimate / finite * parts_.geometry->dualNormBound(shape_);
    return result;
}

// Largest magnitudes of the extras, in their order; refused where an entry is not finite.
template <class T>
Refusal BlockChecks<T>::scanExtras(const BlockIo& io, std::array<double, 4>& largest) const {
    const Index n = shape_.size();
    const auto& x = io.extras;
    const std::pair<const void*, Index> arrays[] = {
        {x.previous, n},
        {x.activations.data, x.activations.count * shape_.cols},
        {x.deltas.data, x.deltas.count * shape_.rows},
        {x.perExample.data, x.perExample.count * n},
    };
    for (std::size_t i = 0; i < largest.size(); ++i) {
        const auto [data, size] = arrays[i];
        if (data == nullptr) continue;
        const auto* entries = static_cast<const T*>(data);
        largest[i] = kernels::maxAbs(size, entries);
        if (!std::isfinite(largest[i]))
            return {Refusal::Kind::extraNotFinite, 0, kernels::countNonFinite(size, entries), 0.0, 0.0, i};
    }
    return {};
}

template <class T>
Refusal BlockChecks<T>::refuse(Refusal::Kind kind, Index n, const T* x) {
    return {kind, 0, kernels::countNonFinite(n, x), 0.0, 0.0};
}

template class BlockChecks<float>;
template class BlockChecks<double>;

}  // namespace schattor
