#pragma once

#include <memory>
#include <type_traits>

#include "base/types.h"

namespace schattor {

/// The process's pool of threads. One caller at a time has it: whoever comes while it is taken, from another
/// thread or from inside a task, does its work alone. Threads start when they are first wanted, spin for a
/// few microseconds after each piece of work and then sleep; after a fork the child starts its own.
class Pool {
public:
    /// Calls task(worker, item) for every item in [0, items), in order of their numbers as threads come
    /// free, on at most `threads` threads. The caller is worker 0, and no two calls run under one worker
    /// number at a time. What a task throws is thrown here, from the smallest item that did; the rest may
    /// then be left out.
    template <class Task>
    static void run(int threads, Index items, Task&& task) {
        using Callable = std::remove_reference_t<Task>;
        const auto call = [](void* context, int worker, Index item) {
            (*static_cast<Callable*>(context))(worker, item);
        };
        dispatch(threads, items, call, const_cast<void*>(static_cast<const void*>(std::addressof(task))));
    }

    /// Threads that are alive beside the callers'.
    static int helpers();

    /// Below this estimate of the whole work, in nanoseconds, waking a thread costs more than it brings.
    static constexpr double worthwhile = 50e3;

private:
    using Call = void (*)(void* context, int worker, Index item);
    static void dispatch(int threads, Index items, Call call, void* context);
};

}  // namespace schattor
