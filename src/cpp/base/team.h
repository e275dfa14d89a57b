#pragma once

#include "base/types.h"

namespace schattor {

/// Threads that share the work on one block. The pieces of work and their order of summation never depend on
/// the number of threads.
class Team {
public:
    virtual ~Team() = default;

    /// Calls task(i) for every i in [0, count), in any order and at the same time where threads are free;
    /// returns when all are done. Without a team: one after the other.
    template <class Task>
    static void each(Team* team, Index count, const Task& task) {
        if (team != nullptr && count > 1) {
            team->run(count, [](const void* t, Index i) { (*static_cast<const Task*>(t))(i); }, &task);
        } else {
            for (Index i = 0; i < count; ++i) task(i);
        }
    }

protected:
    virtual void run(Index count, void (*call)(const void*, Index), const void* task) = 0;
};

}  // namespace schattor
