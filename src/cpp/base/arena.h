#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <stdexcept>
#include <vector>

#include "base/poison.h"
#include "base/types.h"

namespace schattor {

/// A bump allocator. Space is handed out by take() and given back by ArenaFrame, in stack order. What does
/// not fit into the buffer comes from further ones, so that nothing that is taken moves; as soon as
/// everything has been given back they become one buffer that is as large as all that was ever taken at once.
/// The same work then allocates nothing. Under AddressSanitizer, bytes that are not taken, and the padding
/// between arrays, must not be touched.
class Arena {
public:
    static constexpr std::size_t alignment = 64;

    explicit Arena(std::size_t bytes = 0) { reserve(bytes); }

    /// Bytes that take<T>(count) uses up, padding included.
    template <class T>
    static std::size_t bytesFor(std::size_t count) {
        return (count * sizeof(T) + alignment - 1) / alignment * alignment;
    }

    /// Becomes one buffer of at least `bytes`; only while nothing is taken.
    void reserve(std::size_t bytes) {
        if (bytes <= capacity()) return;
        if (used_ != 0) throw std::logic_error("arena replaced while in use");
        replace(bytes);
    }

    template <class T>
    T* take(std::size_t count) {
        const std::size_t bytes = bytesFor<T>(count);
        if (buffers_.empty() || bytes > buffers_[current_].left() || (used_ == 0 && buffers_.size() > 1))
            makeRoom(bytes);
        Buffer& buffer = buffers_[current_];
        std::byte* const result = buffer.data.get() + buffer.used;
        buffer.used += bytes;
        used_ += bytes;
        highest_ = std::max(highest_, used_);
        allow(result, count * sizeof(T));
        return reinterpret_cast<T*>(result);
    }

    std::size_t used() const { return used_; }
    /// The most that was ever taken at once.
    std::size_t highest() const { return highest_; }
    /// What can be taken at once without another buffer, after all has been given back.
    std::size_t capacity() const { return buffers_.size() == 1 ? buffers_.front().capacity : 0; }

private:
    friend class ArenaFrame;
    struct Free {
        void operator()(std::byte* p) const { ::operator delete(p, std::align_val_t{alignment}); }
    };
    struct Buffer {
        explicit Buffer(std::size_t bytes)
            : data(static_cast<std::byte*>(::operator new(bytes, std::align_val_t{alignment}))),
              capacity(bytes) {
            forbid(data.get(), bytes);
        }
        std::size_t left() const { return capacity - used; }
        std::unique_ptr<std::byte, Free> data;
        std::size_t capacity;
        std::size_t used = 0;
    };
    struct Mark {
        std::size_t buffer, usedOfBuffer, used;
    };

    void makeRoom(std::size_t bytes) {
        if (used_ == 0) return replace(std::max(bytes, highest_));
        const std::size_t next = current_ + 1;
        if (next == buffers_.size() || buffers_[next].capacity < bytes) {  // those behind are not in use
            const std::size_t wanted = std::max(bytes, 2 * buffers_[current_].capacity);
            buffers_.erase(buffers_.begin() + static_cast<std::ptrdiff_t>(next), buffers_.end());
            buffers_.push_back(Buffer(wanted));
        }
        current_ = next;
    }

    void replace(std::size_t bytes) {
        buffers_.clear();
        current_ = 0;
        buffers_.push_back(Buffer(bytes));
    }

    Mark mark() const { return {current_, buffers_.empty() ? 0 : buffers_[current_].used, used_}; }

    void giveBack(const Mark& mark) {
        for (std::size_t i = mark.buffer; i < buffers_.size() && i <= current_; ++i) {
            Buffer& buffer = buffers_[i];
            const std::size_t kept = i == mark.buffer ? mark.usedOfBuffer : 0;
            forbid(buffer.data.get() + kept, buffer.used - kept);
            buffer.used = kept;
        }
        current_ = mark.buffer;
        used_ = mark.used;
    }

    std::vector<Buffer> buffers_;
    std::size_t current_ = 0;  ///< the one that is taken from; none behind it is in use
    std::size_t used_ = 0;     ///< of all
    std::size_t highest_ = 0;
};

/// About as many bytes as a matrix of this shape takes while it is decomposed in double: enough as a rule, so
/// that an arena of this size need not grow. What is not used is never touched.
inline std::size_t likelyScratch(Shape s) {
    const auto numbers = 6 * s.size() + 16 * s.smaller() * s.smaller() + 64 * s.larger() + 4096;
    return Arena::bytesFor<double>(static_cast<std::size_t>(numbers));
}

/// Gives back on leaving its scope all that was taken inside it.
class ArenaFrame {
public:
    explicit ArenaFrame(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
    ~ArenaFrame() { arena_.giveBack(mark_); }
    ArenaFrame(const ArenaFrame&) = delete;
    ArenaFrame& operator=(const ArenaFrame&) = delete;

private:
    Arena& arena_;
    Arena::Mark mark_;
};

}  // namespace schattor
