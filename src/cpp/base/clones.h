#pragma once

// The wheels are built for the baseline of the platform; GCC compiles functions with this mark for newer
// vector units as well and picks at load time. Sanitizers cannot run before that choice is made.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SCHATTOR_CLONES __attribute__((target_clones("avx512f", "avx2,fma", "default")))
#else
#define SCHATTOR_CLONES
#endif
#if defined(__GNUC__)
#define SCHATTOR_INLINE inline __attribute__((always_inline))
#else
#define SCHATTOR_INLINE inline
#endif
// Outputs may coincide with inputs element by element, which is no loop-carried dependence.
#if defined(__clang__)
#define SCHATTOR_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define SCHATTOR_IVDEP _Pragma("GCC ivdep")
#else
#define SCHATTOR_IVDEP
#endif
