#include "base/pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#define SCHATTOR_FORKS 1
#endif

namespace schattor {
namespace {

void relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    asm volatile("yield");
#endif
}

// Waits for the condition without sleeping, for a time that is short beside a wake-up and too short to
// disturb the threads of other libraries.
template <class Condition>
bool spin(Condition condition) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point end = Clock::now() + std::chrono::microseconds(20);
    do {
        for (int i = 0; i < 32; ++i) {
            if (condition()) return true;
            relax();
        }
    } while (Clock::now() < end);
    return condition();
}

// An order goes from idle to posted (by the caller), to taken and back to idle (by the helper). The caller
// may take back one that is only posted: it never waits for a thread that has not woken up.
enum class Order { idle, posted, taken };

struct Helper {
    std::atomic<Order> order = Order::idle;
    std::mutex mutex;  // of the two sleeps below
    std::condition_variable wake, done;
    bool asleep = false;

    void post() {
        bool sleeping = false;
        {
            const std::scoped_lock lock(mutex);
            order.store(Order::posted, std::memory_order_release);
            sleeping = asleep;
        }
        if (sleeping) wake.notify_one();
    }

    void awaitOrder() {
        const auto posted = [&] { return order.load(std::memory_order_relaxed) == Order::posted; };
        if (spin(posted)) return;
        std::unique_lock lock(mutex);
        asleep = true;
        wake.wait(lock, posted);
        asleep = false;
    }

    bool change(Order from, Order to) {
        return order.compare_exchange_strong(from, to, std::memory_order_acq_rel, std::memory_order_relaxed);
    }

    void finish() {
        {
            const std::scoped_lock lock(mutex);
            order.store(Order::idle, std::memory_order_release);
        }
        done.notify_one();
    }

    void awaitEnd() {
        if (change(Order::posted, Order::idle)) return;
        const auto idle = [&] { return order.load(std::memory_order_acquire) == Order::idle; };
        if (spin(idle)) return;
        std::unique_lock lock(mutex);
        done.wait(lock, idle);
    }
};

// Threads and the work they share. Never destroyed: sleeping threads may outlive every static object.
class Crew {
public:
    using Call = void (*)(void*, int, Index);

    bool acquire() { return !busy_.exchange(true, std::memory_order_acquire); }
    void release() { busy_.store(false, std::memory_order_release); }
    int size() const { return size_.load(std::memory_order_relaxed); }

    // Starts threads up to this number, or as many as the system gives.
    void grow(int wanted) {
        try {
            while (size() < wanted) {
                helpers_.push_back(std::make_unique<Helper>());
                Helper* const helper = helpers_.back().get();
                const int worker = size() + 1;
                try {
                    std::thread([this, helper, worker] { serve(*helper, worker); }).detach();
                } catch (...) {
                    helpers_.pop_back();
                    throw;
                }
                size_.store(worker, std::memory_order_relaxed);
            }
        } catch (const std::system_error&) {  // NOLINT(bugprone-empty-catch): fewer threads do
        }
    }

    void work(int threads, Index items, Call call, void* context) {
        call_ = call;
        context_ = context;
        items_ = items;
        error_ = nullptr;
        next_.store(0, std::memory_order_relaxed);
        const auto helping = static_cast<std::size_t>(std::min(threads - 1, size()));
        for (std::size_t i = 0; i < helping; ++i) helpers_[i]->post();
        takeItems(0);
        for (std::size_t i = 0; i < helping; ++i) helpers_[i]->awaitEnd();
    }

    std::exception_ptr takeError() { return std::exchange(error_, nullptr); }

private:
    [[noreturn]] void serve(Helper& helper, int worker) {
        for (;;) {
            helper.awaitOrder();
            if (!helper.change(Order::posted, Order::taken)) continue;
            takeItems(worker);
            helper.finish();
        }
    }

    void takeItems(int worker) {
        for (;;) {
            const Index item = next_.fetch_add(1, std::memory_order_relaxed);
            if (item >= items_) return;
            try {
                call_(context_, worker, item);
            } catch (...) {
                const std::scoped_lock lock(errorMutex_);
                if (!error_ || item < errorItem_) {
                    error_ = std::current_exception();
                    errorItem_ = item;
                }
                next_.store(items_, std::memory_order_relaxed);
            }
        }
    }

    std::atomic<bool> busy_ = false;
    std::atomic<int> size_ = 0;
    std::vector<std::unique_ptr<Helper>> helpers_;

    Call call_ = nullptr;
    void* context_ = nullptr;
    Index items_ = 0;
    alignas(64) std::atomic<Index> next_ = 0;  // all threads write it: on a cache line of its own
    alignas(64) std::mutex errorMutex_;
    std::exception_ptr error_;
    Index errorItem_ = 0;
};

std::atomic<Crew*> crew = nullptr;

#ifdef SCHATTOR_FORKS
// The threads of the parent do not exist in the child, and its locks may be held: the child forgets them.
[[maybe_unused]] const int registered =
    pthread_atfork(nullptr, nullptr, [] { crew.store(nullptr, std::memory_order_relaxed); });
#endif

Crew& sharedCrew() {
    Crew* current = crew.load(std::memory_order_acquire);
    if (current != nullptr) return *current;
    auto fresh = std::make_unique<Crew>();
    if (crew.compare_exchange_strong(current, fresh.get(), std::memory_order_acq_rel))
        return *fresh.release();
    return *current;  // another thread was first
}

}  // namespace

int Pool::helpers() {
    const Crew* current = crew.load(std::memory_order_acquire);
    return current == nullptr ? 0 : current->size();
}

void Pool::dispatch(int threads, Index items, Call call, void* context) {
    const auto useful = static_cast<int>(std::min<Index>(threads, items));
    Crew* const shared = useful > 1 ? &sharedCrew() : nullptr;
    if (shared == nullptr || !shared->acquire()) {
        for (Index i = 0; i < items; ++i) call(context, 0, i);
        return;
    }
    struct Release {
        Crew& crew;
        ~Release() { crew.release(); }
    } const release{*shared};
    shared->grow(useful - 1);
    shared->work(useful, items, call, context);
    if (const std::exception_ptr error = shared->takeError()) std::rethrow_exception(error);
}

}  // namespace schattor
