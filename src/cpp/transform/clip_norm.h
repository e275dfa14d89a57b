#pragma once

#include <algorithm>

#include "base/kernels.h"
#include "linalg/norms.h"
#include "transform/transform.h"

namespace schattor {

/// G / max(1, ||G||_F / limit), for each block alone.
class ClipNorm final : public Transform {
public:
    explicit ClipNorm(Value limit) : limit_(limit) {}

    const float* apply(const Context<float>& c, const float* g, float* out) const override {
        return run(c, g, out);
    }
    const double* apply(const Context<double>& c, const double* g, double* out) const override {
        return run(c, g, out);
    }
    double magnitude(std::span<const double> slots, double gradient, double) const override {
        return std::min(gradient, limit_.at(slots) * (1.0 + 1e-6));
    }

    /// The factor that brings n entries to at most this length.
    template <class T>
    static double factor(Index n, const T* g, double limit) {
        const Scaled norm = frobeniusNorm(n, g);
        // Relative to the exponent, as the norm itself may exceed double.
        const double relative = Scaled{limit, 0}.relativeTo(norm.exponent);
        return norm.value > relative ? relative / norm.value : 1.0;
    }

private:
    template <class T>
    const T* run(const Context<T>& c, const T* g, T* out) const {
        const double shrink = factor(c.size(), g, c(limit_));
        if (shrink == 1.0) return g;
        kernels::scale(c.size(), shrink, g, out);
        return out;
    }

    Value limit_;
};

}  // namespace schattor
