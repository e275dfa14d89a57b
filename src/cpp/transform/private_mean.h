#pragma once

#include <algorithm>

#include "base/rng.h"
#include "transform/clip_norm.h"

namespace schattor {

/// mean_i g_i / max(1, ||g_i||_F / C) + sigma C / B N(0, I) over the gradients of the B samples: the Gaussian
/// mechanism of DP-SGD (arXiv 1607.00133). The noise depends on the seed, the block's name and the step
/// alone.
class PrivateMean final : public Transform {
public:
    PrivateMean(Value clip, Value noiseMultiplier, std::uint64_t seed)
        : clip_(clip), noiseMultiplier_(noiseMultiplier), seed_(seed) {}

    const float* apply(const Context<float>& c, const float*, float* out) const override {
        return run(c, out);
    }
    const double* apply(const Context<double>& c, const double*, double* out) const override {
        return run(c, out);
    }
    Inputs ownReads() const override { return Input::perExample; }
    /// No normal number that Rng draws exceeds 9.
    double magnitude(std::span<const double> slots, double gradient, double) const override {
        const double clip = clip_.at(slots);
        return std::min(gradient, clip * (1.0 + 1e-6)) + 9.0 * noiseMultiplier_.at(slots) * clip;
    }

private:
    template <class T>
    const T* run(const Context<T>& c, T* out) const {
        const ArenaFrame frame(*c.arena);
        const Index n = c.size();
        double* sum = c.arena->template take<double>(static_cast<std::size_t>(n));
        const double clip = c(clip_), deviation = c(noiseMultiplier_) * clip;
        std::fill(sum, sum + n, 0.0);
        if (deviation > 0.0) {
            Rng(seed_, c.salt, c.step).normal(n, sum);
            kernels::scale(n, deviation, sum, sum);
        }
        const auto& samples = c.extras.perExample;
        for (Index b = 0; b < samples.count; ++b) {
            const T* g = samples.data + b * n;
            const double shrink = ClipNorm::factor(n, g, clip);
            kernels::addScaled(n, shrink, g, sum);
        }
        const double share = 1.0 / static_cast<double>(samples.count);
        for (Index i = 0; i < n; ++i) out[i] = static_cast<T>(share * sum[i]);
        return out;
    }

    Value clip_, noiseMultiplier_;
    std::uint64_t seed_;
};

}  // namespace schattor
