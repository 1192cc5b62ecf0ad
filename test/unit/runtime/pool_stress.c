/* Exercises pool.h: rounds of barriers and claims, sleeping workers, callers that share a pool. */
#include "pool.h"

#include <stdio.h>
#include <unistd.h>

enum { ITEMS = 97, ROUNDS = 100, STEPS = 5 };

typedef struct {
  canao_pool *pool;
  long owner[STEPS][ITEMS]; /* plain memory: barriers alone must order it */
  long sums[64];
} job;

static void steps(void *ctx, int tid) {
  job *j = (job *)ctx;
  j->sums[tid] = 0;
  for (int s = 0; s < STEPS; ++s) {
    for (long i; (i = canao_pool_claim(j->pool, s)) < ITEMS;)
      j->owner[s][i] = s == 0 ? i : j->owner[s - 1][ITEMS - 1 - i] + 1;
    canao_pool_barrier(j->pool, tid);
  }
  for (int i = 0; i < ITEMS; ++i) j->sums[tid] += j->owner[STEPS - 1][i];
}

static int check(canao_pool *pool) {
  job j = {.pool = pool};
  canao_pool_run(pool, steps, &j);
  long want = ITEMS * (ITEMS - 1) / 2 + ITEMS * (STEPS - 1);
  for (int t = 0; t < canao_pool_threads(pool); ++t)
    if (j.sums[t] != want) return 1;
  return 0;
}

static void *caller(void *pool) {
  long failures = 0;
  for (int i = 0; i < ROUNDS; ++i) failures += check((canao_pool *)pool);
  return (void *)failures;
}

int main(void) {
  canao_pool *pool;
  if (canao_pool_create(0, 1, &pool) != EINVAL || pool) return 10;
  for (int threads = 1; threads <= 5; ++threads) {
    if (canao_pool_create(threads, STEPS, &pool)) return 11;
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
    canao_pool_destroy(pool);
  }
  canao_pool_destroy(NULL);
  if (canao_pool_create(4, 0, &pool)) return 16;
  canao_pool_destroy(pool); /* never run */
  puts("ok");
  return 0;
}
