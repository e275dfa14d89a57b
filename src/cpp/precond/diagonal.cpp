#include "precond/diagonal.h"

namespace schattor {

std::optional<kernels::Metric> Diagonal::metric(std::span<const double> slots, std::int64_t count) const {
    std::optional<kernels::Metric> result = moment_->metric(slots);
    if (!result) return result;
    const Division::Terms d = division_->terms(slots, count);
    result->a = d.a;
    result->c = d.c;
    result->eps = d.eps;
    return result;
}

void Diagonal::observe(const Context<float>& c, const float* g, const float* m) const {
    moment_->observe(c.child(0), g, m);
}
void Diagonal::observe(const Context<double>& c, const double* g, const double* m) const {
    moment_->observe(c.child(0), g, m);
}

template <class T>
void Diagonal::applyIn(const Context<T>& c, const T* m, T* out) const {
    const Division::Terms d = division_->terms(c.slots, c.count);
    const ArenaFrame frame(*c.arena);
    T* work = c.arena->template take<T>(static_cast<std::size_t>(c.size()));
    kernels::divideByRoot(c.size(), d.a, m, d.c, moment_->value(c.child(0), work), d.eps, out);
}

void Diagonal::apply(const Context<float>& c, const float* m, float* out) const { applyIn(c, m, out); }
void Diagonal::apply(const Context<double>& c, const double* m, double* out) const { applyIn(c, m, out); }

}  // namespace schattor
