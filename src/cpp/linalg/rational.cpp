#include "linalg/rational.h"

#include <Eigen/QR>
#include <algorithm>
#include <cmath>

namespace schattor {
namespace {

constexpr int fitPoints = 320;
constexpr int checkPoints = 1501;

using Design = Eigen::Matrix<double, fitPoints, Eigen::Dynamic, Eigen::ColMajor, fitPoints,
                             RationalPower::mostPoles + 1>;
using Samples = Eigen::Matrix<double, fitPoints, 1>;
using Solution = Eigen::Matrix<double, Eigen::Dynamic, 1, Eigen::ColMajor, RationalPower::mostPoles + 1, 1>;

double logSpaced(double low, double high, int i, int count) {
    return low * std::pow(high / low, static_cast<double>(i) / (count - 1));
}

RationalPower fitWith(double power, double low, double first, double last, int count) {
    RationalPower r;
    r.power = power;
    r.low = low;
    r.count = count;
    Design design(fitPoints, count + 1);
    Samples wanted;
    for (int j = 0; j < count; ++j) r.pole[static_cast<std::size_t>(j)] = logSpaced(first, last, j, count);
    for (int i = 0; i < fitPoints; ++i) {
        const double x = logSpaced(low, 1.0, i, fitPoints), root = std::sqrt(x);
        for (int j = 0; j < count; ++j) {
            const double t = r.pole[static_cast<std::size_t>(j)];
            design(i, j) = root * std::sqrt(t) / (x + t);
        }
        design(i, count) = root;
        wanted(i) = root * std::pow(x, power);
    }
    const Eigen::ColPivHouseholderQR<Design> qr(design);
    const Solution solution = qr.solve(wanted);
    for (int j = 0; j < count; ++j) {
        const auto s = static_cast<std::size_t>(j);
        r.weight[s] = solution(j) * std::sqrt(r.pole[s]);
    }
    r.constant = solution(count);
    // A positive power is small below the interval, where it still counts.
    const double from = power < 0.0 ? low : low * 1e-8;
    for (int i = 0; i < checkPoints; ++i) {
        const double x = logSpaced(from, 1.0, i, checkPoints);
        r.error = std::max(r.error, std::sqrt(x) * std::abs(r(x) - std::pow(x, power)));
    }
    return r;
}

// Where the first pole belongs depends on the power and on how many poles there are; the choices come from a
// search over both.
RationalPower fitBest(double power, double low, int count) {
    static constexpr std::array<double, 3> below = {1.0, 0.2, 0.04}, above = {3.0, 0.6, 0.1};
    RationalPower best;
    for (const double factor : power < 0.0 ? below : above) {
        const RationalPower next = fitWith(power, low, factor * low, power < 0.0 ? 10.0 : 30.0, count);
        if (best.count == 0 || next.error < best.error) best = next;
    }
    return best;
}

}  // namespace

double RationalPower::operator()(double x) const {
    double sum = constant;
    for (std::size_t j = 0; j < static_cast<std::size_t>(count); ++j) sum += weight[j] / (x + pole[j]);
    return sum;
}

RationalPower fitPower(double power, double low, double tolerance) {
    // The error falls by a factor exp(-pi^2 / log(1/low)) or better with each pole.
    const double decades = std::log(4.0 / low);
    const int guess = static_cast<int>(std::log(0.1 / tolerance) * decades / 24.0);
    RationalPower best = fitBest(power, low, std::clamp(guess, 4, RationalPower::mostPoles));
    for (int count = best.count + 1; best.error > tolerance && count <= RationalPower::mostPoles; ++count) {
        const RationalPower next = fitBest(power, low, count);
        if (next.error < best.error) best = next;
    }
    return best;
}

RationalPower RationalFits::get(double power, double low, double tolerance) {
    low = std::pow(10.0, std::floor(std::log10(low)));
    tolerance = std::pow(10.0, 0.5 * std::floor(2.0 * std::log10(tolerance)));
    const std::scoped_lock lock(mutex_);
    for (std::size_t i = 0; i < std::min(made_, entries_.size()); ++i) {
        const Entry& entry = entries_[i];
        if (entry.power == power && entry.low == low && entry.tolerance == tolerance) return entry.fit;
    }
    Entry& entry = entries_[made_++ % entries_.size()];
    entry = {power, low, tolerance, fitPower(power, low, tolerance)};
    return entry.fit;
}

}  // namespace schattor
