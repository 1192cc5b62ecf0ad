/* The rates that nothing else limits: multiply-adds in registers, reading memory in order, and
 * instructions that do nothing.
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

/* The best time of `rounds` runs of one task a thread; negative if the threads cannot start. */
static double canao_best_seconds(int threads, int rounds, void (*run)(void *, int, long),
                                 void *ctx) {
  canao_pool *pool;
  canao_step step = {run, threads};
  if (canao_pool_create(threads, &step, 1, NULL, &pool)) return -1;
  double best = -1;
  for (int round = 0; round < rounds; ++round) {
    long long start = canao_nanoseconds();
    canao_pool_run(pool, ctx);
    double seconds = (double)(canao_nanoseconds() - start) * 1e-9;
    if (best < 0 || seconds < best) best = seconds;
  }
  canao_pool_destroy(pool);
  return best;
}

/* Seconds that `threads` threads take for `steps` steps each; negative if they cannot start.
 * A step is 2 * CANAO_CHAINS * CANAO_LANES floating-point operations. */
double canao_peak_seconds(int threads, long steps, int rounds) {
  canao_peak peak = {steps, 1.0f, 0.0f, (float *)calloc((size_t)threads, 16 * sizeof(float))};
  if (!peak.sink) return -1;
  double best = canao_best_seconds(threads, rounds, canao_peak_task, &peak);
  free(peak.sink);
  return best;
}

typedef struct {
  long blocks;
} canao_issue;

static void canao_issue_task(void *ctx, int tid, long task) {
  (void)tid;
  (void)task;
  for (long block = ((canao_issue *)ctx)->blocks; block > 0; --block)
    __asm__ volatile(".rept 1000\n\tnop\n\t.endr");
}

/* Seconds that `threads` threads take for `blocks` times 1000 instructions each that do nothing;
 * negative if they cannot start. A core that runs another thread too issues fewer of them. */
double canao_issue_seconds(int threads, long blocks, int rounds) {
  canao_issue issue = {blocks};
  return canao_best_seconds(threads, rounds, canao_issue_task, &issue);
}

typedef struct {
  const canao_vector *data;
  long vectors; /* of each task */
  float *sink;
} canao_stream;

static void canao_stream_task(void *ctx, int tid, long task) {
  (void)tid;
  canao_stream *stream = (canao_stream *)ctx;
  const canao_vector *data = stream->data + task * stream->vectors;
  canao_vector sums[CANAO_CHAINS] = {0};
  for (long i = 0; i + CANAO_CHAINS <= stream->vectors; i += CANAO_CHAINS) {
#pragma GCC unroll 16
    for (int k = 0; k < CANAO_CHAINS; ++k) sums[k] += data[i + k];
  }
  float total = 0;
  for (int i = 0; i < CANAO_CHAINS; ++i)
    for (int lane = 0; lane < CANAO_LANES; ++lane) total += sums[i][lane];
  stream->sink[task * 16] = total;
}

/* Seconds that `threads` threads take to read `bytes` bytes once, together; negative if they
 * cannot start or the memory is not there. */
double canao_stream_seconds(int threads, long bytes, int rounds) {
  void *data = NULL;
  canao_stream stream = {0};
  stream.sink = (float *)calloc((size_t)threads, 16 * sizeof(float));
  stream.vectors = bytes / (long)sizeof(canao_vector) / threads;
  double best = -1;
  if (stream.sink && !posix_memalign(&data, CANAO_LINE, (size_t)bytes)) {
    memset(data, 0, (size_t)bytes); /* pages never written would all be one */
    stream.data = (const canao_vector *)data;
    best = canao_best_seconds(threads, rounds, canao_stream_task, &stream);
  }
  free(data);
  free(stream.sink);
  return best;
}
