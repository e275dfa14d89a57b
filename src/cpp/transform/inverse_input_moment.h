#pragma once

#include <optional>

#include "transform/transform.h"

namespace schattor {

/// G <- G (K + (r tr(K) / n + eps) I)^-1, K being the average of z z' over the inputs z of the layer, from
/// initial I on. In steps that are multiples of `frequency` the activations of that step enter K and the
/// inverse is computed anew; before the first of them G stays (Newton-Muon, arXiv 2604.01472). K has `blocks`
/// diagonal blocks, each with a ridge of its own. Where these are wider than `largest`, G stays.
class InverseInputMoment final : public Transform {
public:
    /// `inputs` is n. `inputsAreRows`: the block is stored as the transpose of its (out, in) matrix.
    InverseInputMoment(double beta, double initial, double ridge, double eps, std::int64_t frequency,
                       Index blocks, Index inputs, bool inputsAreRows,
                       std::optional<Index> largest = std::nullopt);

    std::vector<StateSlot> state(Shape) const override;
    std::vector<ScalarSlot> scalars() const override {
        return kept_ ? std::vector<ScalarSlot>{{"input_initial", initial_}} : std::vector<ScalarSlot>{};
    }
    const float* apply(const Context<float>& c, const float* g, float* out) const override {
        return run(c, g, out);
    }
    const double* apply(const Context<double>& c, const double* g, double* out) const override {
        return run(c, g, out);
    }
    Inputs ownReads() const override { return inputsAreRows_ ? Input::deltas : Input::activations; }
    /// The inverse has no eigenvalue above 1 / eps.
    double magnitude(std::span<const double>, double gradient, double) const override {
        return kept_ ? gradient * gain_ : gradient;
    }
    double ownLargestSample(Shape, Dtype) const override;

private:
    Index width() const { return inputs_ / blocks_; }
    template <class T>
    void refresh(const Context<T>&) const;
    template <class T>
    const T* run(const Context<T>&, const T* g, T* out) const;

    double beta_, initial_, ridge_, eps_;
    std::int64_t frequency_;
    Index blocks_, inputs_;
    bool inputsAreRows_, kept_;
    double gain_;
};

}  // namespace schattor
