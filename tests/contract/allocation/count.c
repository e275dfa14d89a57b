/* Counts calls of the C library's allocator in one thread, between begin() and end(); to be preloaded. */
#include <stddef.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

static __thread int counting;
static __thread long count;

static void note(void) {
    if (counting) ++count;
}
void* malloc(size_t n) {
    note();
    return __libc_malloc(n);
}
void* calloc(size_t k, size_t n) {
    note();
    return __libc_calloc(k, n);
}
void* realloc(void* p, size_t n) {
    note();
    return __libc_realloc(p, n);
}
void* memalign(size_t a, size_t n) {
    note();
    return __libc_memalign(a, n);
}
void* aligned_alloc(size_t a, size_t n) {
    note();
    return __libc_memalign(a, n);
}
int posix_memalign(void** p, size_t a, size_t n) {
    note();
    *p = __libc_memalign(a, n);
    return *p ? 0 : 12; /* ENOMEM */
}
void begin_count(void) {
    count = 0;
    counting = 1;
}
long end_count(void) {
    counting = 0;
    return count;
}
