/* What kernels and helper functions need. */
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>

/* Vectors never cross the boundary of this unit, so their ABI does not matter. */
#pragma GCC diagnostic ignored "-Wpsabi"

#ifndef CANAO_UNUSED
#define CANAO_UNUSED __attribute__((unused))
#endif
#define CANAO_INLINE CANAO_UNUSED static inline __attribute__((always_inline))

/* The unit is one file, or with CANAO_PARTS several that are linked. */
#ifdef CANAO_PARTS
#define CANAO_KERNEL __attribute__((noinline, visibility("hidden")))
#define CANAO_TABLE __attribute__((visibility("hidden"))) const
#else
#define CANAO_KERNEL static __attribute__((noinline, unused))
#define CANAO_TABLE static const
#endif
#define CANAO_EXPORT __attribute__((visibility("default")))

/* What a thread must know to run a task. */
typedef struct {
  char *scratch; /* memory of this thread alone */
  atomic_int *status;
} canao_call;

/* Notes that an assertion failed; the first one stays. */
CANAO_UNUSED static void canao_fail(atomic_int *status, int message) {
  int none = 0;
  atomic_compare_exchange_strong(status, &none, message);
}
