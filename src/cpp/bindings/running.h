#pragma once

#include <algorithm>
#include <memory>

#include "estimator/estimator.h"

namespace schattor {

/// An estimator with its own state, outside of a plan.
template <class T>
class RunningEstimator {
public:
    RunningEstimator(std::shared_ptr<const Estimator> estimator, Shape shape)
        : estimator_(std::move(estimator)), shape_(shape) {
        state_ = declareState<T>(*estimator_, shape);
    }

    /// Advances by a finite gradient and writes the estimate into `out`.
    void update(std::span<const double> slots, const T* g, T* out) {
        const Context<T> context{shape_, count, count, 0.0, nullptr, slots, &arena_};
        const T* estimate = estimator_->estimate(context.of(state_), g, out);
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
