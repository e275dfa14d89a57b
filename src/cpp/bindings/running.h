#pragma once

#include <algorithm>
#include <memory>

#include "estimator/estimator.h"
#include "plan/part_state.h"

namespace schattor {

/// An estimator with its own state, outside of a plan.
template <class T>
class RunningEstimator {
public:
    RunningEstimator(std::shared_ptr<const Estimator> estimator, Shape shape)
        : estimator_(std::move(estimator)), shape_(shape) {
        state_.declare(*estimator_, shape);
        arena_.reserve(estimator_->scratch(shape, dtypeOf<T>));
    }

    /// Advances by a finite gradient and writes the estimate into `out`.
    void update(std::span<const double> slots, const T* g, T* out) {
        Context<T> context{shape_, count,           count,   0.0,           nullptr,
                           slots,  state_.pointers, &arena_, state_.scalars};
        const T* estimate = estimator_->estimate(context, g, out);
        if (estimate != out) std::copy(estimate, estimate + shape_.size(), out);
        ++count;
    }

    std::int64_t count = 0;
    PartState<T>& state() { return state_; }

private:
    std::shared_ptr<const Estimator> estimator_;
    Shape shape_;
    PartState<T> state_;
    Arena arena_;
};

}  // namespace schattor
