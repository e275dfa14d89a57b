#pragma once

#include <memory>

#include "precond/division.h"
#include "precond/moment.h"
#include "precond/preconditioner.h"

namespace schattor {

/// A diagonal metric: the estimate divided by the root of a moment. 0 where the denominator is 0.
class Diagonal final : public Preconditioner {
public:
    Diagonal(std::shared_ptr<const Moment> moment, std::shared_ptr<const Division> division)
        : moment_(std::move(moment)), division_(std::move(division)) {}

    std::vector<Child> children(Shape s) const override { return {{moment_.get(), s}}; }
    void observe(const Context<float>&, const float*, const float*) const override;
    void observe(const Context<double>&, const double*, const double*) const override;
    void apply(const Context<float>&, const float*, float*) const override;
    void apply(const Context<double>&, const double*, double*) const override;
    bool ownElementwise() const override { return true; }
    std::optional<kernels::Metric> metric(std::span<const double> slots, std::int64_t count) const override;

private:
    template <class T>
    void applyIn(const Context<T>&, const T* m, T* out) const;

    std::shared_ptr<const Moment> moment_;
    std::shared_ptr<const Division> division_;
};

}  // namespace schattor
