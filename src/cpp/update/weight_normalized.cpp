#include "update/weight_normalized.h"

#include <algorithm>
#include <cmath>

#include "update/displacement.h"

namespace schattor {
namespace {

constexpr double least = 1e-12;

enum : std::size_t { magnitude, directionNorm };
enum : std::size_t { ofEstimator, ofPreconditioner };

template <class T>
void measure(Lines lines, const Context<T>& c, const T* x, T* out) {
    const ArenaFrame frame(*c.arena);
    const LineLength* lengths = lineLengths(lines, c.shape, x, *c.arena);
    for (Index k = 0; k < countOf(lines, c.shape); ++k)
        out[k] = static_cast<T>(std::max(least, lengths[k].full()));
}

}  // namespace

double WeightNormalized::lineLength(Shape s) const {
    return std::max(1.0, static_cast<double>(lines_ == Lines::rows ? s.cols : s.rows));
}

// The magnitudes are the weights that they see.
std::vector<Child> WeightNormalized::children(Shape s) const {
    const Inputs hidden = Inputs::except(Input::weights);
    const double most = std::sqrt(lineLength(s));
    return {{estimator_.get(), lineShape(s), "magnitude_", most, hidden},
            {preconditioner_.get(), lineShape(s), "magnitude_", most, hidden}};
}

double WeightNormalized::ownLargestMagnitude(Shape s, Dtype dtype) const {
    return 0.5 * largestFinite(dtype) / std::sqrt(lineLength(s));
}

// ||dv_i|| <= |g_i| / ||v_i|| ||G_i||, and twice that where the weights have been changed from outside.
template <class T>
double WeightNormalized::bound(const Context<T>& c, double gradient) const {
    double ratio = 1.0;
    for (Index k = 0; c.count > 0 && k < countOf(lines_, c.shape); ++k)
        ratio = std::max(ratio, std::abs(static_cast<double>(c.state[magnitude][k])) /
                                    static_cast<double>(c.state[directionNorm][k]));
    return 2.0 * std::sqrt(lineLength(c.shape)) * ratio * gradient;
}

template <class T>
const T* WeightNormalized::pull(const Context<T>& c, const T* g, T* out) const {
    const ArenaFrame frame(*c.arena);
    const Index count = countOf(lines_, c.shape);
    T *length = c.state[magnitude], *ofDirection = c.state[directionNorm];
    if (c.count == 0) {
        measure(lines_, c, c.weights, length);
        std::copy(length, length + count, ofDirection);
    }
    T* along = c.arena->template take<T>(static_cast<std::size_t>(count));
    double* ofG = c.arena->template take<double>(static_cast<std::size_t>(count));
    double* ofW = c.arena->template take<double>(static_cast<std::size_t>(count));
    dotLines(lines_, c.shape, c.weights, g, ofW);
    for (Index k = 0; k < count; ++k) {
        const double wide = length[k], sum = ofW[k] / wide;  // <G, w / |w|>
        along[k] = static_cast<T>(sum);
        ofG[k] = wide / static_cast<double>(ofDirection[k]);
        ofW[k] = -ofG[k] * sum / wide;
    }
    combineLines(lines_, c.shape, ofG, g, ofW, c.weights, out);
    moveMagnitudes(c, along);
    return out;
}

// Until push(), the place of ||v|| holds ||v|| / g with the old g, of which v is made again.
template <class T>
void WeightNormalized::moveMagnitudes(const Context<T>& c, T* gradient) const {
    const Index count = countOf(lines_, c.shape);
    T *length = c.state[magnitude], *ofDirection = c.state[directionNorm];
    Context<T> estimating = c.child(ofEstimator), mapping = c.child(ofPreconditioner);
    estimating.weights = mapping.weights = length;
    T* step = c.arena->template take<T>(static_cast<std::size_t>(count));
    const T* estimate = estimator_->estimate(estimating, gradient, step);
    preconditioner_->observe(mapping, gradient, estimate);
    preconditioner_->apply(mapping, estimate, step);
    for (Index k = 0; k < count; ++k) {
        const double g = length[k], moved = (1.0 - c.lr * c(weightDecay_)) * (g - c.lr * step[k]);
        ofDirection[k] = static_cast<T>(static_cast<double>(ofDirection[k]) / g);
        length[k] = static_cast<T>(std::copysign(std::max(least, std::abs(moved)), moved));
    }
}

template <class T>
Moved WeightNormalized::push(const Context<T>& c, double of, const T* d, T* w) const {
    const ArenaFrame frame(*c.arena);
    const Index count = countOf(lines_, c.shape);
    T* ofDirection = c.state[directionNorm];
    double* factor = c.arena->template take<double>(static_cast<std::size_t>(count));
    std::copy(ofDirection, ofDirection + count, factor);
    Displacement<T> displacement(c, w);
    scaleLines(lines_, c.shape, w, factor, w);  // v
    kernels::combine(c.size(), 1.0, w, of, d, w);
    measure(lines_, c, w, ofDirection);
    for (Index k = 0; k < count; ++k)
        factor[k] = static_cast<double>(c.state[magnitude][k]) / static_cast<double>(ofDirection[k]);
    scaleLines(lines_, c.shape, w, factor, w);
    return {.norm = displacement.norm(w)};
}

#define SCHATTOR_INSTANTIATE(T)                                                              \
    template const T* WeightNormalized::pull<T>(const Context<T>&, const T*, T*) const;      \
    template Moved WeightNormalized::push<T>(const Context<T>&, double, const T*, T*) const; \
    template double WeightNormalized::bound<T>(const Context<T>&, double) const;
SCHATTOR_INSTANTIATE(float)
SCHATTOR_INSTANTIATE(double)
#undef SCHATTOR_INSTANTIATE

}  // namespace schattor
