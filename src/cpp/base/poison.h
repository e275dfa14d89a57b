#pragma once

#include <cstddef>

// Tells AddressSanitizer which bytes of an allocation of ours may be touched; without it nothing is done.
#if defined(__SANITIZE_ADDRESS__)
#define SCHATTOR_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SCHATTOR_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef SCHATTOR_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace schattor {

inline void forbid([[maybe_unused]] const std::byte* begin, [[maybe_unused]] std::size_t bytes) {
#ifdef SCHATTOR_ADDRESS_SANITIZER
    ASAN_POISON_MEMORY_REGION(begin, bytes);
#endif
}

inline void allow([[maybe_unused]] const std::byte* begin, [[maybe_unused]] std::size_t bytes) {
#ifdef SCHATTOR_ADDRESS_SANITIZER
    ASAN_UNPOISON_MEMORY_REGION(begin, bytes);
#endif
}

}  // namespace schattor
