#pragma once

#include "base/pool.h"

namespace schattor {

/// Threads that share the work on one block. The pieces of work and their order of summation never depend on
/// the number of threads, so results do not either.
class Team {
public:
    explicit Team(int threads) : threads_(threads) {}

    /// Calls task(i) for every i in [0, count), in any order and at the same time where threads are free;
    /// returns when all are done. Without a team, or from inside another task: one after the other.
    template <class Task>
    static void each(const Team* team, Index count, const Task& task) {
        if (team != nullptr && team->threads_ > 1 && count > 1) {
            Pool::run(team->threads_, count, [&task](int, Index i) { task(i); });
        } else {
            for (Index i = 0; i < count; ++i) task(i);
        }
    }

    /// A second thread slows blocks down whose smaller side is below this size.
    static constexpr Index worthwhile = 128;

private:
    int threads_;
};

}  // namespace schattor
