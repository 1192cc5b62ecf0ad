
/* What kernels and helper functions need. */
#include <math.h>
#include <stdint.h>

/* Vectors never cross the boundary of this unit, so their ABI does not matter. */
#pragma GCC diagnostic ignored "-Wpsabi"

#define CANAO_INLINE CANAO_UNUSED static inline __attribute__((always_inline))
#define CANAO_KERNEL static __attribute__((noinline, unused))
#define CANAO_EXPORT __attribute__((visibility("default")))

/* What a thread must know to run a task. */
typedef struct {
  char *scratch; /* memory of this thread alone */
  atomic_int *status;
} canao_call;

/* One run of the program. */
typedef struct {
  canao_pool *pool;
  const void *const *inputs;
  const void *const *weights;
  void *const *outputs;
  char *arena;
  double *seconds; /* where to put the time of each call; may be null */
  long long last;  /* when the previous call ended */
  atomic_int status;
} canao_context;

/* Notes that an assertion failed; the first one stays. */
CANAO_UNUSED static void canao_fail(atomic_int *status, int message) {
  int none = 0;
  atomic_compare_exchange_strong(status, &none, message);
}

CANAO_UNUSED static inline canao_call canao_call_of(canao_context *c, int tid) {
  char *scratch = CANAO_SCRATCH_BYTES
                      ? c->arena + CANAO_SHARED_BYTES + (size_t)tid * CANAO_SCRATCH_BYTES
                      : 0;
  return (canao_call){scratch, &c->status};
}

/* Notes how long a call took, if that was asked for. */
static void canao_called(void *ctx, int number) {
  canao_context *const c = (canao_context *)ctx;
  if (!c->seconds) return;
  long long now = canao_nanoseconds();
  c->seconds[number] = 1e-9 * (double)(now - c->last);
  c->last = now;
}
