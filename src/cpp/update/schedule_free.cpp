#include "update/schedule_free.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace schattor {

template <class T>
void ScheduleFree::run(const Context<T>& c, double factor, const T* d, T* y) const {
    T* z = c.state[0];
    double &sum = c.scalars[0], &largest = c.scalars[1];
    if (c.count == 0) std::copy(y, y + c.size(), z);
    largest = std::max(largest, c.lr);
    const double t = static_cast<double>(c.count + 1);
    const double weight = std::pow(t, r_) * std::pow(largest, power_);
    sum += weight;
    const double share = sum > 0.0 ? weight / sum : 0.0;
    // The inner displacement is (keep - 1) y + factor d.
    const std::optional<double> keep = inner_->keep(c.slots, c.lr);
    if (!keep) throw std::logic_error("schedule-free: the inner update is not linear in the weights");
    const T ofY = static_cast<T>(*keep - 1.0), ofD = static_cast<T>(factor);
    const T base = static_cast<T>(share);
    const T move = static_cast<T>(1.0 - beta_ * (1.0 - share));
    for (Index i = 0; i < c.size(); ++i) {
        const T displacement = ofY * y[i] + ofD * d[i];
        y[i] += base * (z[i] - y[i]) + move * displacement;
        z[i] += displacement;
    }
}

template void ScheduleFree::run<float>(const Context<float>&, double, const float*, float*) const;
template void ScheduleFree::run<double>(const Context<double>&, double, const double*, double*) const;

}  // namespace schattor
