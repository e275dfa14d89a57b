#pragma once

#include "frame/frame.h"

namespace schattor {

/// The metric of a factor of W = B A by the Gram matrix of the other one (Intrinsic Muon, arXiv 2605.09238;
/// LoRA-Muon, arXiv 2606.12921). For the left factor B, with R = (A A' + eps I)^(-1/2),
///     X -> X R inside, D -> D R outside;
/// for the right factor A, with R = (B'B + eps I)^(-1/2), X -> R X and D -> R D.
class PartnerMetric final : public Frame {
public:
    PartnerMetric(bool left, double eps) : left_(left), eps_(eps) {}

    Index held(Shape s) const override { return rank(s) * rank(s); }
    Inputs ownReads() const override { return {Input::weights, Input::partner}; }
    /// No entry of R exceeds eps^(-1/2).
    double ownLargestMagnitude(Shape s, Dtype dtype) const override;

    void enter(const Context<float>& c, const float* x, float* inside) const override {
        root(c);
        turn(c, x, inside);
    }
    void enter(const Context<double>& c, const double* x, double* inside) const override {
        root(c);
        turn(c, x, inside);
    }
    void leave(const Context<float>& c, const float* inside, float* x) const override { turn(c, inside, x); }
    void leave(const Context<double>& c, const double* inside, double* x) const override {
        turn(c, inside, x);
    }

private:
    Index rank(Shape s) const { return left_ ? s.cols : s.rows; }
    template <class T>
    void root(const Context<T>&) const;
    template <class T>
    void turn(const Context<T>&, const T* x, T* out) const;

    bool left_;
    double eps_;
};

}  // namespace schattor
