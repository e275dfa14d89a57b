#include "precond/kronecker_factors.h"

#include <algorithm>
#include <cmath>

namespace schattor {
namespace {

template <class T>
double trace(Index k, const T* a) {
    double sum = 0.0;
    for (Index i = 0; i < k; ++i) sum += static_cast<double>(a[i * (k + 1)]);
    return sum;
}

double debiasing(double b, std::int64_t count) {
    return 1.0 / (1.0 - std::pow(b, static_cast<double>(count + 1)));
}

}  // namespace

std::vector<StateSlot> KroneckerFactors::state(Shape shape) const {
    std::vector<StateSlot> result;
    for (const Side side : bothSides) {
        if (!has(side, shape)) continue;
        const Index k = sizeOf(side, shape);
        const std::string name = side == Side::left ? "left_" : "right_";
        result.push_back({name + "factor", {k, k}});
        result.push_back({name + "power", {k, k}});
    }
    return result;
}

double KroneckerRoots::ownLargestMagnitude(Shape shape, Dtype dtype) const {
    const double terms = 1e5 * static_cast<double>(std::max<Index>(1, shape.larger()));
    return 0.5 * std::sqrt(largestFinite(dtype) / terms);
}

double KroneckerInverses::ownLargestSample(Shape shape, Dtype dtype) const {
    return 0.5 * std::sqrt(largestFinite(dtype) / static_cast<double>(std::max<Index>(1, shape.larger())));
}

template <class T>
void KroneckerFactors::applyIn(const Context<T>& c, const T* m, T* out) const {
    if (c.count + 1 < refresh_.start) {
        std::copy(m, m + c.size(), out);
        return;
    }
    const auto on = [&](Side side) { return has(side, c.shape) ? Factor<T>{power(side, c)} : Factor<T>{}; };
    multiply(on(Side::left), on(Side::right), c.shape, m, out, *c.arena);
}

template <class T>
void KroneckerRoots::observeIn(const Context<T>& c, const T* g) const {
    const double b = c(beta_), weight = b == 1.0 ? 1.0 : 1.0 - b;
    const double correction = b == 1.0 ? 1.0 : debiasing(b, c.count);
    const double exponent = has(Side::left, c.shape) && has(Side::right, c.shape) ? 0.25 : 0.5;
    for (const Side side : bothSides) {
        if (!has(side, c.shape)) continue;
        T* s = factor(side, c);
        addGram(side, c.shape, b, weight, g, c.shape.cols, s);
        if (refresh_.due(c.count))
            inverseRoot(sizeOf(side, c.shape), s, correction, c(eps_), exponent, power(side, c), *c.arena);
    }
}

template <class T>
void KroneckerInverses::observeIn(const Context<T>& c) const {
    const double b = c(beta_), correction = debiasing(b, c.count);
    double mean[2] = {};
    for (const Side side : bothSides) {
        if (!has(side, c.shape)) continue;
        const Samples<T>& x = side == Side::left ? c.extras.deltas : c.extras.activations;
        const Index k = sizeOf(side, c.shape);
        addGram(Side::right, {x.count, k}, b, (1.0 - b) / static_cast<double>(x.count), x.data, k,
                factor(side, c));
        mean[side == Side::right] = trace(k, factor(side, c)) / static_cast<double>(k);
    }
    if (!refresh_.due(c.count)) return;
    const double pi = mean[0] > 0.0 && mean[1] > 0.0 ? std::sqrt(mean[1] / mean[0]) : 1.0;
    const double root = std::sqrt(c(damping_));
    for (const Side side : bothSides)
        if (has(side, c.shape))
            inverseRoot(sizeOf(side, c.shape), factor(side, c), correction,
                        side == Side::left ? root / pi : root * pi, 1.0, power(side, c), *c.arena);
}

template void KroneckerFactors::applyIn<float>(const Context<float>&, const float*, float*) const;
template void KroneckerFactors::applyIn<double>(const Context<double>&, const double*, double*) const;
template void KroneckerRoots::observeIn<float>(const Context<float>&, const float*) const;
template void KroneckerRoots::observeIn<double>(const Context<double>&, const double*) const;
template void KroneckerInverses::observeIn<float>(const Context<float>&) const;
template void KroneckerInverses::observeIn<double>(const Context<double>&) const;

}  // namespace schattor
