#include "base/arena.h"

#include <cstdint>
#include <cstring>
#include <limits>

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

TEST("what does not fit comes from elsewhere, and nothing that is taken moves") {
    Arena arena(4 * Arena::alignment);
    auto* first = arena.take<unsigned char>(3 * Arena::alignment);
    std::memset(first, 1, 3 * Arena::alignment);
    for (int round = 2; round < 12; ++round) {
        const std::size_t size = Arena::alignment << round;
        std::memset(arena.take<unsigned char>(size), round, size);
    }
    for (std::size_t i = 0; i < 3 * Arena::alignment; ++i) CHECK(first[i] == 1);
    CHECK_EQ(arena.capacity(), std::size_t{0});  // not of one piece
    CHECK_EQ(arena.highest(), arena.used());
}

TEST("an arena that has grown becomes one buffer for all that was taken at once") {
    Arena arena;
    const auto work = [&] {
        const ArenaFrame frame(arena);
        arena.take<double>(10);
        for (int i = 0; i < 3; ++i) {  // each time in the same room
            const ArenaFrame inner(arena);
            arena.take<double>(1000);
            arena.take<double>(5000);
        }
    };
    work();
    const std::size_t most =
        Arena::bytesFor<double>(10) + Arena::bytesFor<double>(1000) + Arena::bytesFor<double>(5000);
    CHECK_EQ(arena.highest(), most);
    CHECK_EQ(arena.used(), std::size_t{0});
    work();
    CHECK_EQ(arena.capacity(), most);
    work();
    CHECK_EQ(arena.capacity(), most);
}

TEST("an arena is as it was where there is no memory") {
    Arena arena(1 << 10);
    char* kept = arena.take<char>(1);
    *kept = 7;
    const std::size_t used = arena.used();
    CHECK_THROWS_AS(arena.take<char>(std::numeric_limits<std::size_t>::max() / 4), std::bad_alloc);
    CHECK_EQ(arena.used(), used);
    CHECK(*kept == 7);
    *arena.take<char>(1) = 8;
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
            arena.take<double>(1 << 16);  // in another buffer
        }
        CHECK_EQ(arena.used(), inside);
        try {
            const ArenaFrame inner(arena);
            arena.take<double>(1 << 16);
            throw 1;
        } catch (int) {
        }
        CHECK_EQ(arena.used(), inside);
    }
    CHECK_EQ(arena.used(), outside);
    CHECK(arena.take<double>(8) == reused);
}

TEST("room is made beforehand only while nothing is taken, and never less than before") {
    Arena arena(64);
    arena.reserve(256);
    CHECK_EQ(arena.capacity(), std::size_t{256});
    arena.reserve(1);
    CHECK_EQ(arena.capacity(), std::size_t{256});
    arena.take<char>(1);
    CHECK_THROWS_AS(arena.reserve(512), std::logic_error);
    arena.reserve(256);  // large enough already
}
