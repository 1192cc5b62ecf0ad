/* A persistent pool of threads that run one program together (SPMD).
 *
 * Every thread of the pool, the caller among them as number 0, runs the same
 * task once per canao_pool_run. Inside the task threads meet at barriers and
 * claim work from shared counters ("slots"). Everything here is static, so the
 * text can be pasted at the top of a translation unit.
 *
 * A task must not call canao_pool_run on its own pool. */
#ifndef CANAO_POOL_H
#define CANAO_POOL_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CANAO_UNUSED __attribute__((unused))
#define CANAO_LINE 64                /* bytes in a cache line */
#define CANAO_BARRIER_SPINS 4096     /* pauses before a waiting thread yields */
#define CANAO_IDLE_NANOSECONDS 80000 /* an idle worker spins this long, then sleeps */

typedef void (*canao_task)(void *ctx, int tid);
typedef struct canao_pool canao_pool;

typedef struct {
  _Alignas(CANAO_LINE) atomic_long next;
} canao_slot;

typedef struct {
  pthread_t thread;
  canao_pool *pool;
  int tid;
} canao_worker;

struct canao_pool {
  int threads;
  int slots;
  canao_slot *claims;
  canao_worker *workers;  /* threads - 1 of them; the caller is thread 0 */
  pthread_mutex_t caller; /* held during a run: one run at a time */
  pthread_mutex_t sleep;
  pthread_cond_t wake;
  canao_task task; /* written before `epoch` is raised, read after */
  void *ctx;
  int stop;
  _Alignas(CANAO_LINE) atomic_uint epoch; /* raised once per run */
  _Alignas(CANAO_LINE) atomic_int sleepers;
  _Alignas(CANAO_LINE) atomic_int running; /* workers still inside the task */
  _Alignas(CANAO_LINE) atomic_int arrived; /* threads waiting at the barrier */
  _Alignas(CANAO_LINE) atomic_uint phase;  /* the barrier's sense, raised when all came */
};

/* Tells the processor that this is a spin loop. */
CANAO_UNUSED static inline void canao_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield" ::: "memory");
#else
  __asm__ volatile("" ::: "memory");
#endif
}

/* One step of a bounded spin: pauses at first, gives up the processor later,
 * so that more threads than cores still make progress. */
CANAO_UNUSED static inline void canao_spin(int *spins) {
  if (*spins < CANAO_BARRIER_SPINS) {
    ++*spins;
    canao_pause();
  } else {
    sched_yield();
  }
}

CANAO_UNUSED static long long canao_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Waits until all threads of the pool are here. */
CANAO_UNUSED static inline void canao_pool_barrier(canao_pool *pool, int tid) {
  (void)tid;
  if (pool->threads == 1) return;
  unsigned phase = atomic_load_explicit(&pool->phase, memory_order_relaxed);
  int before = atomic_fetch_add_explicit(&pool->arrived, 1, memory_order_acq_rel);
  if (before == pool->threads - 1) {
    atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->phase, phase + 1, memory_order_release);
    return;
  }
  int spins = 0;
  while (atomic_load_explicit(&pool->phase, memory_order_acquire) == phase) canao_spin(&spins);
}

/* The next unclaimed index of a slot; counts from 0 in each run. */
CANAO_UNUSED static inline long canao_pool_claim(canao_pool *pool, int slot) {
  atomic_long *next = &pool->claims[slot].next;
  if (pool->threads > 1) return atomic_fetch_add_explicit(next, 1, memory_order_relaxed);
  long index = atomic_load_explicit(next, memory_order_relaxed);
  atomic_store_explicit(next, index + 1, memory_order_relaxed);
  return index;
}

/* Number of threads that run each task. */
CANAO_UNUSED static inline int canao_pool_threads(const canao_pool *pool) {
  return pool->threads;
}

/* Waits for a run after `seen`: spins for a while, then sleeps. */
CANAO_UNUSED static unsigned canao_pool_await(canao_pool *pool, unsigned seen) {
  long long end = canao_nanoseconds() + CANAO_IDLE_NANOSECONDS;
  do {
    for (int i = 0; i < 64; ++i) {
      unsigned epoch = atomic_load_explicit(&pool->epoch, memory_order_acquire);
      if (epoch != seen) return epoch;
      canao_pause();
    }
  } while (canao_nanoseconds() < end);

  /* `sleepers` is raised before `epoch` is read again, and the caller raises
   * `epoch` before it reads `sleepers`; both orders are total, so one of the
   * two sees the other and no wake-up is lost. */
  pthread_mutex_lock(&pool->sleep);
  atomic_fetch_add(&pool->sleepers, 1);
  unsigned epoch;
  while ((epoch = atomic_load(&pool->epoch)) == seen) pthread_cond_wait(&pool->wake, &pool->sleep);
  atomic_fetch_sub(&pool->sleepers, 1);
  pthread_mutex_unlock(&pool->sleep);
  return epoch;
}

/* Starts what `task`, `ctx` and `stop` say on all workers. */
CANAO_UNUSED static void canao_pool_signal(canao_pool *pool) {
  atomic_fetch_add(&pool->epoch, 1);
  if (atomic_load(&pool->sleepers) == 0) return;
  pthread_mutex_lock(&pool->sleep);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->sleep);
}

CANAO_UNUSED static void *canao_pool_worker(void *argument) {
  canao_worker *worker = (canao_worker *)argument;
  canao_pool *pool = worker->pool;
  unsigned seen = 0;
  for (;;) {
    seen = canao_pool_await(pool, seen);
    if (pool->stop) return NULL;
    pool->task(pool->ctx, worker->tid);
    atomic_fetch_sub_explicit(&pool->running, 1, memory_order_release);
  }
}

/* Runs `task` once on every thread; returns when all have finished.
 * Callers that share a pool take turns. */
CANAO_UNUSED static void canao_pool_run(canao_pool *pool, canao_task task, void *ctx) {
  pthread_mutex_lock(&pool->caller);
  for (int i = 0; i < pool->slots; ++i)
    atomic_store_explicit(&pool->claims[i].next, 0, memory_order_relaxed);
  if (pool->threads > 1) {
    pool->task = task;
    pool->ctx = ctx;
    atomic_store_explicit(&pool->running, pool->threads - 1, memory_order_relaxed);
    canao_pool_signal(pool);
  }
  task(ctx, 0);
  int spins = 0;
  while (atomic_load_explicit(&pool->running, memory_order_acquire) > 0) canao_spin(&spins);
  pthread_mutex_unlock(&pool->caller);
}

/* Stops and joins the first `started` workers and frees the pool. */
CANAO_UNUSED static void canao_pool_release(canao_pool *pool, int started) {
  pool->stop = 1;
  if (started > 0) canao_pool_signal(pool);
  for (int i = 0; i < started; ++i) pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->sleep);
  pthread_mutex_destroy(&pool->caller);
  free(pool->workers);
  free(pool->claims);
  free(pool);
}

/* Ends the workers; no run may be under way. NULL is allowed. */
CANAO_UNUSED static void canao_pool_destroy(canao_pool *pool) {
  if (pool) canao_pool_release(pool, pool->threads - 1);
}

/* Starts `threads` - 1 workers; 0, or the number of an error. */
CANAO_UNUSED static int canao_pool_create(int threads, int slots, canao_pool **out) {
  *out = NULL;
  if (threads < 1 || slots < 0) return EINVAL;
  void *memory = NULL;
  if (posix_memalign(&memory, CANAO_LINE, sizeof(canao_pool))) return ENOMEM;
  canao_pool *pool = (canao_pool *)memory;
  memset(memory, 0, sizeof(canao_pool));
  void *claims = NULL;
  size_t claim_bytes = sizeof(canao_slot) * (size_t)(slots > 0 ? slots : 1);
  int no_claims = posix_memalign(&claims, CANAO_LINE, claim_bytes);
  pool->workers = (canao_worker *)calloc((size_t)threads, sizeof(canao_worker));
  if (no_claims || !pool->workers) {
    free(no_claims ? NULL : claims);
    free(pool->workers);
    free(pool);
    return ENOMEM;
  }
  memset(claims, 0, claim_bytes);
  pool->claims = (canao_slot *)claims;
  pool->threads = threads;
  pool->slots = slots;
  pthread_mutex_init(&pool->caller, NULL);
  pthread_mutex_init(&pool->sleep, NULL);
  pthread_cond_init(&pool->wake, NULL);

  /* Workers take no signals: those belong to the program that calls us. */
  sigset_t all, saved;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &saved);
  int error = 0;
  for (int i = 0; i < threads - 1 && !error; ++i) {
    canao_worker *worker = &pool->workers[i];
    worker->pool = pool;
    worker->tid = i + 1;
    error = pthread_create(&worker->thread, NULL, canao_pool_worker, worker);
    if (error) canao_pool_release(pool, i);
  }
  pthread_sigmask(SIG_SETMASK, &saved, NULL);
  if (!error) *out = pool;
  return error;
}

#endif
