/* Exercises pool.h: rounds of steps, late and sleeping workers, callers that share a pool. */
#include "pool.h"

#include <stdio.h>
#include <unistd.h>

enum { ITEMS = 97, ROUNDS = 100, STEPS = 7, NONE = 3, ONE = 5 };

typedef struct {
  long values[STEPS][ITEMS]; /* plain memory: steps alone must order it */
  long times[STEPS][ITEMS];  /* how often each task ran */
  int order[STEPS];          /* the steps in the order of their ends */
  int ended;
} job;

static void first(void *ctx, int tid, long task) {
  job *j = (job *)ctx;
  (void)tid;
  j->values[0][task] = task;
  ++j->times[0][task];
}

/* Reads what the step before it wrote, from the other end. */
static void follow(job *j, int step, int before, long task) {
  j->values[step][task] = j->values[before][ITEMS - 1 - task] + 1;
  ++j->times[step][task];
}

#define FOLLOW(STEP, BEFORE)                                 \
  static void step_##STEP(void *ctx, int tid, long task) {   \
    (void)tid;                                               \
    follow((job *)ctx, STEP, BEFORE, task);                  \
  }

FOLLOW(1, 0)
FOLLOW(2, 1)
FOLLOW(4, 2)
FOLLOW(6, 5)

/* One task alone: the rest of the threads have nothing to do. */
static void alone(void *ctx, int tid, long task) {
  (void)tid;
  (void)task;
  for (long i = 0; i < ITEMS; ++i) follow((job *)ctx, ONE, 4, i);
}

static const canao_step steps[STEPS] = {
    {first, ITEMS, 0}, {step_1, ITEMS, 0}, {step_2, ITEMS, 0}, {0, 0, 0}, {step_4, ITEMS, 0},
    {alone, 1, 0},     {step_6, ITEMS, 0},
};

static void after(void *ctx, int step) {
  job *j = (job *)ctx;
  j->order[j->ended++] = step;
}

static int check(canao_pool *pool) {
  static const int order[] = {0, 1, 2, 4, 5, 6};
  job *j = (job *)calloc(1, sizeof(job));
  if (!j) return 1;
  canao_pool_run(pool, j);
  int wrong = j->ended != STEPS - 1;
  for (int i = 0; i < j->ended; ++i) wrong |= j->order[i] != order[i];
  long sum = 0;
  for (int s = 0; s < STEPS; ++s)
    for (int i = 0; i < ITEMS; ++i) wrong |= j->times[s][i] != (s == NONE ? 0 : 1);
  for (int i = 0; i < ITEMS; ++i) sum += j->values[STEPS - 1][i];
  wrong |= sum != ITEMS * (ITEMS - 1) / 2 + ITEMS * (STEPS - 2);
  free(j); /* a worker that comes late must not touch it */
  return wrong;
}

static void *caller(void *pool) {
  long failures = 0;
  for (int i = 0; i < ROUNDS; ++i) failures += check((canao_pool *)pool);
  return (void *)failures;
}

int main(void) {
  canao_pool *pool;
  if (canao_pool_create(0, steps, STEPS, after, &pool) != EINVAL || pool) return 10;
  if (canao_pool_create(1, steps, 1 << CANAO_STEP_BITS, after, &pool) != EINVAL) return 10;
  for (int threads = 1; threads <= 5; ++threads) {
    if (canao_pool_create(threads, steps, STEPS, after, &pool)) return 11;
    if (pool->threads != threads) return 11;
    if (caller(pool)) return 12;
    usleep(2000); /* long enough for the workers to sleep */
    if (check(pool)) return 13;
    pthread_t others[2];
    for (int i = 0; i < 2; ++i)
      if (pthread_create(&others[i], NULL, caller, pool)) return 14;
    for (int i = 0; i < 2; ++i) {
      void *failures;
      pthread_join(others[i], &failures);
      if (failures) return 15;
    }
    /* Numbers of runs begin again after 2^24 of them. All workers must sleep: to one that is late
     * the jump would be half of all numbers, and so into the past. */
    while (atomic_load(&pool->sleepers) < threads - 1) usleep(100);
    canao_place near_end = ((1ull << CANAO_RUN_BITS) - 3) << CANAO_STEP_BITS | STEPS;
    for (int i = 0; i < threads; ++i)
      atomic_store(&pool->shares[i].claimed, near_end << CANAO_TASK_BITS);
    atomic_store(&pool->place, near_end);
    if (caller(pool)) return 16;
    canao_pool_destroy(pool);
  }
  canao_pool_destroy(NULL);
  if (canao_pool_create(4, steps, 0, NULL, &pool)) return 17;
  canao_pool_run(pool, NULL);
  canao_pool_destroy(pool);
  puts("ok");
  return 0;
}
