#include "base/arena.h"

#include <cstdint>

#include "support.h"

using schattor::Arena;
using schattor::ArenaFrame;

namespace {

bool aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % Arena::alignment == 0; }

}  // namespace

TEST("every array of an arena begins on a cache line, whatever was taken before") {
    Arena arena(1 << 16);
    for (std::size_t count = 0; count < 70; ++count) {
        CHECK(aligned(arena.take<float>(count)));
        CHECK(aligned(arena.take<double>(count)));
        CHECK(aligned(arena.take<char>(count)));
    }
}

TEST("arrays of an arena do not overlap") {
    Arena arena(1 << 12);
    char* first = arena.take<char>(65);
    char* second = arena.take<char>(1);
    double* third = arena.take<double>(3);
    CHECK(second >= first + 65);
    CHECK(reinterpret_cast<char*>(third) >= second + 1);
}

TEST("bytesFor is what take uses up") {
    Arena arena(1 << 16);
    for (std::size_t count = 0; count < 70; ++count) {
        const std::size_t before = arena.used();
        arena.take<double>(count);
        CHECK_EQ(arena.used() - before, Arena::bytesFor<double>(count));
        CHECK(Arena::bytesFor<double>(count) >= count * sizeof(double));
    }
}

TEST("an arena can be filled to the last byte, and not further") {
    Arena arena(4 * Arena::alignment);
    arena.take<std::byte>(3 * Arena::alignment);
    CHECK_THROWS_AS(arena.take<std::byte>(Arena::alignment + 1), std::logic_error);
    CHECK_EQ(arena.used(), 3 * Arena::alignment);  // what does not fit takes nothing
    arena.take<std::byte>(Arena::alignment);
    CHECK_EQ(arena.used(), arena.capacity());
    CHECK_THROWS_AS(arena.take<std::byte>(1), std::logic_error);
    arena.take<std::byte>(0);
}

TEST("an empty arena gives out nothing but empty arrays") {
    Arena arena;
    arena.take<float>(0);
    CHECK_THROWS_AS(arena.take<float>(1), std::logic_error);
}

TEST("frames give back in stack order what was taken inside them, also when left by an exception") {
    Arena arena(1 << 12);
    arena.take<double>(1);
    const std::size_t outside = arena.used();
    void* reused = nullptr;
    {
        const ArenaFrame frame(arena);
        reused = arena.take<double>(8);
        const std::size_t inside = arena.used();
        {
            const ArenaFrame inner(arena);
            arena.take<double>(100);
        }
        CHECK_EQ(arena.used(), inside);
        try {
            const ArenaFrame inner(arena);
            arena.take<double>(1 << 20);
        } catch (const std::logic_error&) {
        }
        CHECK_EQ(arena.used(), inside);
    }
    CHECK_EQ(arena.used(), outside);
    CHECK(arena.take<double>(8) == reused);
}

TEST("an arena grows only while nothing is taken, and never shrinks") {
    Arena arena(64);
    arena.reserve(256);
    CHECK_EQ(arena.capacity(), std::size_t{256});
    arena.reserve(1);
    CHECK_EQ(arena.capacity(), std::size_t{256});
    arena.take<char>(1);
    CHECK_THROWS_AS(arena.reserve(512), std::logic_error);
    arena.reserve(256);  // large enough already
}
