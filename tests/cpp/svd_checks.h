// What a thin SVD must satisfy; shared by the tests of its rungs.
#pragma once

#include <limits>

#include "linalg/svd.h"
#include "support.h"

namespace support {

// Errors of a computed SVD, in units of (m + n) eps, eps being double's: backward stable methods stay
// below a small constant in every one of them. The planted values are known only to the rounding of A
// itself, so the error of the values is in units of that dtype's eps.
struct SvdErrors {
    double values = 0.0;          // max |sigma_i - planted sigma_i| / sigma_1
    double reconstruction = 0.0;  // max |A - L diag(sigma) R| / sigma_1
    double left = 0.0;            // max |L'L - I| over the columns with sigma_i > 0
    double right = 0.0;           // max |R R' - I| over the rows with sigma_i > 0
    bool ordered = true;          // sigma_1 >= sigma_2 >= ... >= 0

    bool below(double constant) const {  // false also for NaN
        return ordered && values <= constant && reconstruction <= constant && left <= constant &&
               right <= constant;
    }
    std::string text() const {
        return "errors in units of (m + n) eps: values " + check::show(values) + ", reconstruction " +
               check::show(reconstruction) + ", left " + check::show(left) + ", right " + check::show(right) +
               (ordered ? "" : ", not ordered");
    }
};

// `scale` is the power of two that the planted values were multiplied with in A.
template <class T>
SvdErrors measure(Shape s, const std::vector<T>& a, const schattor::Svd& svd,
                  const std::vector<double>& sigma, int scale = 0) {
    const Index k = s.smaller();
    const double unit = static_cast<double>(s.rows + s.cols) * std::numeric_limits<double>::epsilon();
    const double rounding =
        static_cast<double>(s.rows + s.cols) * schattor::machineEpsilon(schattor::dtypeOf<T>);
    const double first = sigma[0];
    const int shift = svd.exponent - scale;  // computed values to planted ones
    SvdErrors errors;
    std::vector<double> found(static_cast<std::size_t>(k));
    const auto raise = [](double& worst, double error) {
        if (!(error <= worst)) worst = error;  // keeps NaN
    };
    for (Index i = 0; i < k; ++i) {
        const auto at = static_cast<std::size_t>(i);
        found[at] = std::ldexp(svd.sigma[i], shift);
        errors.ordered = errors.ordered && found[at] >= 0.0 && (i == 0 || found[at] <= found[at - 1]);
        raise(errors.values, std::abs(found[at] - sigma[at]) / first / rounding);
    }
    for (Index i = 0; i < s.rows; ++i)
        for (Index j = 0; j < s.cols; ++j) {
            double sum = 0.0;
            for (Index l = 0; l < k; ++l)
                if (svd.sigma[l] > 0.0)
                    sum +=
                        svd.left[i * k + l] * found[static_cast<std::size_t>(l)] * svd.right[l * s.cols + j];
            const double entry =
                std::ldexp(static_cast<double>(a[static_cast<std::size_t>(i * s.cols + j)]), -scale);
            raise(errors.reconstruction, std::abs(entry - sum) / first / unit);
        }
    for (Index i = 0; i < k; ++i)
        for (Index j = 0; j < k; ++j) {
            if (svd.sigma[i] == 0.0 || svd.sigma[j] == 0.0) continue;
            double left = i == j ? -1.0 : 0.0;
            double right = left;
            for (Index l = 0; l < s.rows; ++l) left += svd.left[l * k + i] * svd.left[l * k + j];
            for (Index l = 0; l < s.cols; ++l) right += svd.right[i * s.cols + l] * svd.right[j * s.cols + l];
            raise(errors.left, std::abs(left) / unit);
            raise(errors.right, std::abs(right) / unit);
        }
    return errors;
}

// Rotations and reflections touch each entry O(m + n) times, with an error of a few eps each time.
inline constexpr double svdConstant = 4.0;

inline const std::vector<Shape>& svdShapes() {
    static const std::vector<Shape> shapes = {{1, 1},   {1, 7},   {9, 1},  {8, 8}, {12, 31},
                                              {31, 12}, {33, 33}, {3, 90}, {90, 3}};
    return shapes;
}

}  // namespace support
