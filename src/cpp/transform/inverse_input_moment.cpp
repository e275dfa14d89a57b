#include "transform/inverse_input_moment.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "linalg/blas.h"
#include "linalg/inverse_root.h"
#include "linalg/sides.h"

namespace schattor {

InverseInputMoment::InverseInputMoment(double beta, double initial, double ridge, double eps,
                                       std::int64_t frequency, Index blocks, Index inputs, bool inputsAreRows,
                                       std::optional<Index> largest)
    : beta_(beta),
      initial_(initial),
      ridge_(ridge),
      eps_(eps),
      frequency_(frequency),
      blocks_(blocks),
      inputs_(inputs),
      inputsAreRows_(inputsAreRows),
      kept_(!largest || inputs / blocks <= *largest),
      gain_(std::max(1.0, std::sqrt(static_cast<double>(inputs)) / eps)) {
    if (inputs % blocks != 0)
        throw std::invalid_argument(std::to_string(inputs) + " inputs do not divide into " +
                                    std::to_string(blocks) + " blocks");
}

std::vector<StateSlot> InverseInputMoment::state(Shape) const {
    if (!kept_) return {};
    return {{"input_moment", {inputs_, width()}}, {"input_inverse", {inputs_, width()}}};
}

double InverseInputMoment::ownLargestSample(Shape, Dtype dtype) const {
    return 0.5 * std::sqrt(largestFinite(dtype) / static_cast<double>(std::max<Index>(1, inputs_)));
}

template <class T>
void InverseInputMoment::refresh(const Context<T>& c) const {
    const Samples<T>& z = inputsAreRows_ ? c.extras.deltas : c.extras.activations;
    const Index k = width();
    c.scalars[0] *= beta_;
    for (Index j = 0; j < blocks_; ++j) {
        T* moment = c.state[0] + j * k * k;
        addGram(Side::right, {z.count, k}, beta_, (1.0 - beta_) / static_cast<double>(z.count),
                z.data + j * k, inputs_, moment);
        double trace = 0.0;
        for (Index i = 0; i < k; ++i) trace += static_cast<double>(moment[i * (k + 1)]) + c.scalars[0];
        const double added = c.scalars[0] + ridge_ * trace / static_cast<double>(k) + eps_;
        inverseRoot(k, moment, 1.0, added, 1.0, c.state[1] + j * k * k, *c.arena);
    }
}

template <class T>
const T* InverseInputMoment::run(const Context<T>& c, const T* g, T* out) const {
    if (!kept_) return g;
    const std::int64_t t = c.count + 1;
    if (t % frequency_ == 0) refresh(c);
    if (t < frequency_) return g;
    const Index k = width(), m = c.shape.rows, n = c.shape.cols;
    const ArenaFrame frame(*c.arena);
    if (g == out) {  // what another transform has written
        T* copy = c.arena->template take<T>(static_cast<std::size_t>(c.size()));
        std::copy(g, g + c.size(), copy);
        g = copy;
    }
    for (Index j = 0; j < blocks_; ++j) {
        const T* inverse = c.state[1] + j * k * k;
        if (inputsAreRows_)
            multiply(Side::left, 'N', {k, n}, inverse, g + j * k * n, out + j * k * n);
        else  // the BLAS sees the transposes, of which the rows from j k on are meant
            blas::gemm<T>('N', 'N', k, m, k, T(1), inverse, k, g + j * k, n, T(0), out + j * k, n);
    }
    return out;
}

template const float* InverseInputMoment::run<float>(const Context<float>&, const float*, float*) const;
template const double* InverseInputMoment::run<double>(const Context<double>&, const double*, double*) const;

}  // namespace schattor
