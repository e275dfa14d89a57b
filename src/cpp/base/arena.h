#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <stdexcept>

#include "base/poison.h"
#include "base/types.h"

namespace schattor {

/// A bump allocator over one aligned buffer that is sized before the first step, so that steps
/// allocate nothing. Space is handed out by take() and given back by ArenaFrame, in stack order. Under
/// AddressSanitizer, bytes that are not taken, and the padding between arrays, must not be touched.
class Arena {
public:
    static constexpr std::size_t alignment = 64;

    explicit Arena(std::size_t bytes = 0) { reserve(bytes); }

    /// Bytes that take<T>(count) uses up, padding included.
    template <class T>
    static std::size_t bytesFor(std::size_t count) {
        return (count * sizeof(T) + alignment - 1) / alignment * alignment;
    }

    /// The same for numbers of this dtype.
    static std::size_t bytesFor(std::size_t count, Dtype dtype) {
        return bytesFor<std::byte>(count * sizeOf(dtype));
    }

    /// Grows to at least `bytes`; only while nothing is taken.
    void reserve(std::size_t bytes) {
        if (bytes <= capacity_) return;
        if (used_ != 0) throw std::logic_error("arena grown while in use");
        buffer_.reset(static_cast<std::byte*>(::operator new(bytes, std::align_val_t{alignment})));
        capacity_ = bytes;
        forbid(buffer_.get(), bytes);
    }

    template <class T>
    T* take(std::size_t count) {
        const std::size_t bytes = bytesFor<T>(count);
        if (bytes > capacity_ - used_)
            throw std::logic_error("arena too small: a part under-declared its scratch");
        T* result = reinterpret_cast<T*>(buffer_.get() + used_);
        used_ += bytes;
        allow(buffer_.get() + used_ - bytes, count * sizeof(T));
        return result;
    }

    std::size_t used() const { return used_; }
    std::size_t capacity() const { return capacity_; }

private:
    friend class ArenaFrame;
    struct Free {
        void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t{alignment}); }
    };
    void giveBack(std::size_t mark) {
        forbid(buffer_.get() + mark, used_ - mark);
        used_ = mark;
    }
    std::unique_ptr<std::byte, Free> buffer_;
    std::size_t capacity_ = 0;
    std::size_t used_ = 0;
};

/// Gives back on leaving its scope all that was taken inside it.
class ArenaFrame {
public:
    explicit ArenaFrame(Arena& arena) : arena_(arena), mark_(arena.used_) {}
    ~ArenaFrame() { arena_.giveBack(mark_); }
    ArenaFrame(const ArenaFrame&) = delete;
    ArenaFrame& operator=(const ArenaFrame&) = delete;

private:
    Arena& arena_;
    std::size_t mark_;
};

}  // namespace schattor
