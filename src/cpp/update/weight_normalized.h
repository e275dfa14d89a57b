#pragma once

#include <memory>

#include "estimator/estimator.h"
#include "linalg/line_lengths.h"
#include "precond/preconditioner.h"
#include "update/update.h"

namespace schattor {

/// Weight normalisation (arXiv 1602.07868) of each line, W_i = g_i v_i / ||v_i||, as Muown (arXiv 2605.10797)
/// has it. The gradients by both are
///     dg_i = <G_i, u_i>,  dv_i = (g_i / ||v_i||) (G_i - dg_i u_i),  u_i = v_i / ||v_i||.
/// The pipeline moves v along dv. An estimator and a preconditioner of their own move g along dg,
///     g <- (1 - lr weight_decay) (g - lr P(dg)).
/// v is not stored: it is (||v_i|| / g_i) W_i. Both lengths are kept at or above 1e-12, so that zero lines
/// have a beginning and no line loses its direction.
class WeightNormalized final : public Update {
public:
    WeightNormalized(Lines lines, std::shared_ptr<const Estimator> estimator,
                     std::shared_ptr<const Preconditioner> preconditioner, Value weightDecay)
        : lines_(lines),
          estimator_(std::move(estimator)),
          preconditioner_(std::move(preconditioner)),
          weightDecay_(weightDecay) {}

    std::vector<StateSlot> state(Shape s) const override {
        return {{"magnitude", lineShape(s)}, {"direction_norm", lineShape(s)}};
    }
    std::vector<Child> children(Shape) const override;
    Inputs ownReads() const override { return Input::weights; }
    /// |dg_i| <= ||G_i||, which must fit.
    double ownLargestMagnitude(Shape, Dtype) const override;

    bool pullsBack() const override { return true; }
    const float* pullBack(const Context<float>& c, const float* g, float* out) const override {
        return pull(c, g, out);
    }
    const double* pullBack(const Context<double>& c, const double* g, double* out) const override {
        return pull(c, g, out);
    }
    double pulledMagnitude(const Context<float>& c, double gradient) const override {
        return bound(c, gradient);
    }
    double pulledMagnitude(const Context<double>& c, double gradient) const override {
        return bound(c, gradient);
    }
    Moved apply(const Context<float>& c, double factor, const float* d, float* w) const override {
        return push(c, factor, d, w);
    }
    Moved apply(const Context<double>& c, double factor, const double* d, double* w) const override {
        return push(c, factor, d, w);
    }

private:
    /// One number for each line.
    Shape lineShape(Shape s) const { return {countOf(lines_, s), 1}; }
    /// Length of a line, at least one.
    double lineLength(Shape s) const;
    template <class T>
    const T* pull(const Context<T>&, const T* g, T* out) const;
    template <class T>
    void moveMagnitudes(const Context<T>&, T* gradient) const;
    template <class T>
    Moved push(const Context<T>&, double factor, const T* d, T* w) const;
    template <class T>
    double bound(const Context<T>&, double gradient) const;

    Lines lines_;
    std::shared_ptr<const Estimator> estimator_;
    std::shared_ptr<const Preconditioner> preconditioner_;
    Value weightDecay_;
};

}  // namespace schattor
