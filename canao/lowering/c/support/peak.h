/* The rate of multiply-adds that the processor reaches when nothing else limits it.
 * CANAO_LANES is the number of float32 numbers in a vector. */
#include "pool.h"

typedef float canao_vector __attribute__((vector_size(4 * CANAO_LANES)));

/* Sums that do not depend on each other: enough to hide the latency of a step. */
enum { CANAO_CHAINS = 12 };

typedef struct {
  long steps;
  volatile float factor, term; /* volatile: the compiler must not know them */
  float *sink;
} canao_peak;

static void canao_peak_task(void *ctx, int tid, long task) {
  (void)tid;
  canao_peak *peak = (canao_peak *)ctx;
  float total = 0, factor = peak->factor, term = peak->term;
  canao_vector a = factor - (canao_vector){0}, b = term - (canao_vector){0};
  canao_vector sums[CANAO_CHAINS];
#pragma GCC unroll 16
  for (int i = 0; i < CANAO_CHAINS; ++i) sums[i] = a + (float)i;
  for (long step = 0; step < peak->steps; ++step) {
#pragma GCC unroll 16
    for (int i = 0; i < CANAO_CHAINS; ++i) sums[i] = sums[i] * a + b;
  }
  for (int i = 0; i < CANAO_CHAINS; ++i)
    for (int lane = 0; lane < CANAO_LANES; ++lane) total += sums[i][lane];
  peak->sink[task * 16] = total;
}

/* Seconds that `threads` threads take for `steps` steps each, at best of
 * `rounds`; negative if they cannot start. A step is 2 * CANAO_CHAINS *
 * CANAO_LANES floating-point operations. */
double canao_peak_seconds(int threads, long steps, int rounds) {
  canao_pool *pool;
  canao_step step = {canao_peak_task, threads};
  if (canao_pool_create(threads, &step, 1, NULL, &pool)) return -1;
  canao_peak peak = {steps, 1.0f, 0.0f, (float *)calloc((size_t)threads, 16 * sizeof(float))};
  double best = -1;
  for (int round = 0; peak.sink && round < rounds; ++round) {
    long long start = canao_nanoseconds();
    canao_pool_run(pool, &peak);
    double seconds = (double)(canao_nanoseconds() - start) * 1e-9;
    if (best < 0 || seconds < best) best = seconds;
  }
  free(peak.sink);
  canao_pool_destroy(pool);
  return best;
}
