#include "linalg/chebyshev.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "base/kernels.h"
#include "linalg/symmetric_product.h"

namespace schattor {
namespace {

constexpr int nodes = 128;
// Of so many nodes only the first half of the coefficients is free of what is folded back from beyond.
constexpr int trusted = nodes / 2;

}  // namespace

// Interpolation at the Chebyshev nodes. The coefficients fall geometrically, and those left out bound
// the error.
ChebyshevPower fitChebyshev(double power, double low, double tolerance) {
    std::array<double, nodes> value{};
    std::array<double, trusted> coefficient{};
    for (int i = 0; i < nodes; ++i) {
        const double y = std::cos(std::numbers::pi * (i + 0.5) / nodes);
        value[static_cast<std::size_t>(i)] = std::pow(0.5 * ((1.0 - low) * y + 1.0 + low), power);
    }
    for (int i = 0; i < nodes; ++i) {  // T_j at the node by its recurrence
        const double y = std::cos(std::numbers::pi * (i + 0.5) / nodes);
        double before = y, now = 1.0;
        for (double& c : coefficient) {
            c += 2.0 / nodes * value[static_cast<std::size_t>(i)] * now;
            before = std::exchange(now, 2.0 * y * now - before);
        }
    }
    coefficient[0] *= 0.5;
    ChebyshevPower f;
    f.low = low;
    f.degree = trusted - 1;
    const double decay = (1.0 - std::sqrt(low)) / (1.0 + std::sqrt(low));
    f.error = 2.0 * std::abs(coefficient[trusted - 1]) * decay / (1.0 - decay);
    while (f.degree > 1) {
        const double next = f.error + std::abs(coefficient[static_cast<std::size_t>(f.degree)]);
        if (next > tolerance && f.degree <= ChebyshevPower::mostDegree) break;
        f.error = next;
        --f.degree;
    }
    std::copy_n(coefficient.begin(), f.degree + 1, f.coefficient.begin());
    return f;
}

template <class T>
ChebyshevMatrix<T>::ChebyshevMatrix(Index k, const ChebyshevPower& f, T* room)
    : k_(k), f_(f), stride_(strideFor(f.degree)), room_(room) {
    const double slope = 2.0 / (1.0 - f.low);
    kernels::scale(k * k, slope, room, room);
    for (Index i = 0; i < k; ++i) room[i * (k + 1)] -= static_cast<T>(0.5 * slope * (1.0 + f.low));
}

// T_{i+j} = 2 T_i T_j - T_{i-j}
template <class T>
void ChebyshevMatrix<T>::formPowers() {
    for (int i = 2; i <= stride_; ++i) {
        const int half = i / 2, rest = i - half;
        T* out = matrix(i - 1);
        if (rest > half)
            std::copy_n(power(rest - half), k_ * k_, out);
        else
            std::fill_n(out, k_ * k_, T(0));
        if (rest == half)
            for (Index j = 0; j < k_; ++j) out[j * (k_ + 1)] = T(1);
        symmetric::product(k_, T(2), power(half), power(rest), T(-1), out);
        symmetric::mirror(k_, out);
    }
}

// out = sum_{i < stride} block_i T_i + ofStride T_stride, less what out was
template <class T>
void ChebyshevMatrix<T>::collect(const double* block, double ofStride, bool subtract, T* out) const {
    const Index size = k_ * k_;
    const auto c1 = static_cast<T>(block[1]), c2 = static_cast<T>(block[2]);
    const auto c3 = static_cast<T>(stride_ > 3 ? block[3] : ofStride), c4 = static_cast<T>(ofStride);
    const T *t1 = power(1), *t2 = power(2), *t3 = power(3), *t4 = power(stride_);
    const T keep = subtract ? T(-1) : T(0);
    if (!subtract) std::fill_n(out, size, T(0));
    if (stride_ == 3)
        for (Index i = 0; i < size; ++i) out[i] = keep * out[i] + c1 * t1[i] + c2 * t2[i] + c3 * t3[i];
    else
        for (Index i = 0; i < size; ++i)
            out[i] = keep * out[i] + c1 * t1[i] + c2 * t2[i] + c3 * t3[i] + c4 * t4[i];
    for (Index i = 0; i < k_; ++i) out[i * (k_ + 1)] += static_cast<T>(block[0]);
}

// With c_{ks+i} T_{ks+i} = 2 c_{ks+i} T_{ks} T_i - c_{ks+i} T_{ks-i} the sum becomes one over T_k(T_s), whose
// coefficients are polynomials b_k of degree below s = stride, and Clenshaw's recurrence
// y_k = b_k + 2 T_s y_{k+1} - y_{k+2} adds it up.
template <class T>
T* ChebyshevMatrix<T>::evaluate() {
    formPowers();
    constexpr int longest = 4, mostBlocks = ChebyshevPower::mostDegree / 3 + 1;
    std::array<double, ChebyshevPower::mostDegree + 1 + longest> c{};
    std::copy_n(f_.coefficient.begin(), f_.degree + 1, c.begin());
    std::array<std::array<double, longest>, mostBlocks> b{};
    const auto at = [](int i) { return static_cast<std::size_t>(i); };
    const int last = f_.degree / stride_;
    for (int k = last; k >= 0; --k)
        for (int i = 0; i < stride_; ++i) {
            const double x = c[at(k * stride_ + i)];
            b[at(k)][at(i)] = k > 0 && i > 0 ? 2.0 * x : x;
            if (k > 0 && i > 0) c[at(k * stride_ - i)] -= x;
        }
    T *y = matrix(stride_), *before = matrix(stride_ + 1);
    int k = last;
    double top = 0.0;  // where y_last is a multiple of I, the step after it is no product
    if (k > 0 && f_.degree == k * stride_) top = b[at(k--)][0];
    collect(b[at(k)].data(), (k > 0 ? 2.0 : 1.0) * top, false, y);
    std::fill_n(before, k_ * k_, T(0));
    for (Index i = 0; i < k_; ++i) before[i * (k_ + 1)] = static_cast<T>(top);
    while (--k >= 0) {
        collect(b[at(k)].data(), 0.0, true, before);
        symmetric::product(k_, T(k > 0 ? 2 : 1), power(stride_), y, T(1), before);
        symmetric::mirror(k_, before);
        std::swap(y, before);
    }
    result_ = y;
    return y;
}

template <class T>
double ChebyshevMatrix<T>::trace() const {
    double ofF = 0.0;
    for (Index i = 0; i < k_; ++i) ofF += static_cast<double>(result_[i * (k_ + 1)]);
    return 0.5 * ((1.0 - f_.low) * kernels::dot(k_ * k_, power(1), result_) + (1.0 + f_.low) * ofF);
}

template class ChebyshevMatrix<float>;
template class ChebyshevMatrix<double>;

}  // namespace schattor
