#include "precond/spectral_map.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/view.h"
#include "linalg/svd.h"

namespace schattor {

// sigma, in descending order and positive, becomes f; `all` counts the zeros too.
void SpectralMap::weigh(std::span<double> sigma, Index all) const {
    const double largest = sigma[0], smallest = sigma.back();
    for (double& s : sigma) s /= largest;
    if (kind_ == Kind::rank) {
        for (std::size_t i = 0; i < sigma.size(); ++i)
            sigma[i] = std::pow(static_cast<double>(i + 1), -power_);
        return;
    }
    double unit = 1.0;  // what goes to one, in units of the largest
    if (kind_ == Kind::largest) {
        unit = power_ < 0.0 ? smallest / largest : 1.0;
    } else {
        const double q = 1.0 + power_;
        const auto count = static_cast<double>(q > 0.0 ? static_cast<std::size_t>(all) : sigma.size());
        double sum = 0.0;
        for (const double s : sigma) sum += q == 0.0 ? std::log(s) : std::pow(s, q);
        unit = q == 0.0 ? std::exp(sum / count) : std::pow(sum / count, 1.0 / q);
    }
    for (double& s : sigma) s = std::pow(s / unit, power_);
}

template <class T>
void SpectralMap::run(const Context<T>& c, const T* m, T* out) const {
    const Shape s = c.shape;
    std::fill(out, out + s.size(), T(0));
    if (kernels::maxAbs(s.size(), m) == 0.0) return;
    const ArenaFrame frame(*c.arena);
    const Svd svd = thinSvd(s, m, *c.arena);
    const double cutoff = static_cast<double>(s.larger()) * machineEpsilon(dtypeOf<T>) * svd.sigma[0];
    const std::span<double> all(svd.sigma, static_cast<std::size_t>(s.smaller()));
    const auto kept =
        std::find_if(all.begin(), all.end(), [&](double x) { return x <= cutoff; }) - all.begin();
    weigh(all.first(static_cast<std::size_t>(kept)), s.smaller());
    const auto left = view(svd.left, s.rows, s.smaller()).leftCols(kept);
    const auto right = view(svd.right, s.smaller(), s.cols).topRows(kept);
    // Row by row, so that no array is needed beside those of the SVD.
    const VectorView<double> f(all.data(), kept);
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j)
            out[i * s.cols + j] =
                static_cast<T>((left.row(i).transpose().array() * f.array() * right.col(j).array()).sum());
}

template void SpectralMap::run<float>(const Context<float>&, const float*, float*) const;
template void SpectralMap::run<double>(const Context<double>&, const double*, double*) const;

}  // namespace schattor
