/* A persistent pool of threads that run one program together.
 *
 * A program is a list of steps, a step a number of tasks that may run at the same
 * time. A step begins when all tasks of the one before it have finished: what
 * counts is finished tasks, not threads, so a thread that the system keeps from
 * running holds nothing up but the task it is in the middle of. Every thread, the
 * caller among them as number 0, has a share of each step's tasks, takes those
 * first (they touch what its caches hold) and then takes over what others have
 * not begun.
 *
 * A thread may come so late that its step, or the whole run, is over. Whatever is
 * claimed therefore carries the number of the run and of the step, and a thread
 * touches neither the context nor the tasks of a step before a claim has succeeded:
 * from then on the step cannot end without it.
 *
 * Everything here is static, so the text can be pasted at the top of a translation
 * unit. A task must not call canao_pool_run on its own pool. */
#ifndef CANAO_POOL_H
#define CANAO_POOL_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#ifndef __wasm__ /* has no signals */
#include <signal.h>
#endif
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define CANAO_UNUSED __attribute__((unused))
#define CANAO_LINE 64                /* bytes in a cache line */
#define CANAO_SPINS 4096             /* pauses before a waiting thread yields */
#define CANAO_IDLE_NANOSECONDS 80000 /* an idle worker spins this long, then sleeps */
#define CANAO_WORD (8 * sizeof(unsigned long))
#define CANAO_WORDS (4096 / CANAO_WORD) /* a bit for each processor */

/* A place is a run (modulo 2^24) and a step of it; a word of claims is a place and
 * the number of tasks claimed there. */
#define CANAO_RUN_BITS 24
#define CANAO_STEP_BITS 16
#define CANAO_TASK_BITS 24

typedef unsigned long long canao_place;
typedef struct canao_pool canao_pool;

/* Steps that run in order; `run` is called once for each of 0 to `tasks` - 1. */
typedef struct {
  void (*run)(void *ctx, int tid, long task);
  long tasks; /* or the most that a run can have; less than 2^CANAO_TASK_BITS */
  long (*count)(void *ctx); /* how many tasks a run has, if that differs; may be null */
} canao_step;

/* Called after each step that has tasks, before the next one begins. */
typedef void (*canao_after)(void *ctx, int step);

typedef struct {
  _Alignas(CANAO_LINE) atomic_ullong claimed;
} canao_share;

typedef struct {
  unsigned long bits[CANAO_WORDS];
} canao_processors;

typedef struct {
  pthread_t thread;
  canao_pool *pool;
  int tid;
  /* Guarded by the pool's `sleep`. */
  long id;                  /* the system's number of the thread; 0 where there is none */
  int asleep;
  int sent;                 /* whether it was told to wake where the caller does not run */
  canao_processors allowed; /* where it could run before it was told */
} canao_worker;

struct canao_pool {
  int threads;
  int count; /* of steps */
  const canao_step *steps;
  atomic_long *tasks;     /* of each step in this run; a late worker may read the next run's */
  canao_after after;
  canao_share *shares;    /* one a thread */
  canao_worker *workers;  /* threads - 1 of them; the caller is thread 0 */
  pthread_mutex_t caller; /* held during a run: one run at a time */
  pthread_mutex_t sleep;
  pthread_cond_t wake;
  void *ctx; /* written before `place` moves to a new run, read after a claim */
  _Alignas(CANAO_LINE) atomic_ullong place; /* at step `count` nothing is left to do */
  atomic_int stop;
  _Alignas(CANAO_LINE) atomic_long finished; /* tasks of the current step */
  _Alignas(CANAO_LINE) atomic_int sleepers;
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

CANAO_UNUSED static long long canao_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (long long)now.tv_sec * 1000000000 + now.tv_nsec;
}

CANAO_UNUSED static inline int canao_step_of(canao_place place) {
  return (int)(place & ((1u << CANAO_STEP_BITS) - 1));
}

/* The tasks of a step in this run. */
CANAO_UNUSED static inline long canao_pool_tasks(const canao_pool *pool, int step) {
  return atomic_load_explicit(&pool->tasks[step], memory_order_relaxed);
}

/* Counts the tasks of the steps for which each run has its own. */
CANAO_UNUSED static void canao_pool_count(canao_pool *pool, void *ctx) {
  for (int number = 0; number < pool->count; ++number)
    if (pool->steps[number].count)
      atomic_store_explicit(&pool->tasks[number], pool->steps[number].count(ctx),
                            memory_order_relaxed);
}

/* The place itself, or the next one of its run where there is something to do. */
CANAO_UNUSED static inline canao_place canao_pool_next(const canao_pool *pool, canao_place place) {
  while (canao_step_of(place) < pool->count && canao_pool_tasks(pool, canao_step_of(place)) <= 0)
    ++place;
  return place;
}

/* Claims one of the `count` tasks that thread `owner` has at a place; -1 if none is left. */
CANAO_UNUSED static inline long canao_pool_claim(canao_pool *pool, int owner, canao_place place,
                                                 long count) {
  atomic_ullong *claimed = &pool->shares[owner].claimed;
  unsigned long long word = atomic_load_explicit(claimed, memory_order_relaxed);
  for (;;) {
    canao_place at = word >> CANAO_TASK_BITS;
    long task = at == place ? (long)(word & ((1u << CANAO_TASK_BITS) - 1)) : 0;
    /* Places have 64 - CANAO_TASK_BITS bits: the sign of their difference modulo that. */
    int passed = (long long)((at - place) << CANAO_TASK_BITS) > 0;
    if (passed || task >= count) return -1;
    unsigned long long mine = place << CANAO_TASK_BITS | (unsigned long long)(task + 1);
    if (atomic_compare_exchange_weak_explicit(claimed, &word, mine, memory_order_acquire,
                                              memory_order_relaxed))
      return task;
  }
}

/* Runs all tasks of a place that nobody has begun; returns how many those were. */
CANAO_UNUSED static long canao_pool_take(canao_pool *pool, int tid, canao_place place) {
  const canao_step *step = &pool->steps[canao_step_of(place)];
  const long tasks = canao_pool_tasks(pool, canao_step_of(place));
  long taken = 0;
  for (int i = 0; i < pool->threads; ++i) {
    int owner = tid + i < pool->threads ? tid + i : tid + i - pool->threads;
    long first = (long)((long long)tasks * owner / pool->threads);
    long count = (long)((long long)tasks * (owner + 1) / pool->threads) - first;
    for (long task; (task = canao_pool_claim(pool, owner, place, count)) >= 0; ++taken)
      step->run(pool->ctx, tid, first + task);
  }
  return taken;
}

/* Lets everyone go on to the next step; called by whoever finished the last task. */
CANAO_UNUSED static canao_place canao_pool_advance(canao_pool *pool, canao_place place) {
  if (pool->after) pool->after(pool->ctx, canao_step_of(place));
  place = canao_pool_next(pool, place + 1);
  atomic_store_explicit(&pool->finished, 0, memory_order_relaxed);
  atomic_store_explicit(&pool->place, place, memory_order_release);
  return place;
}

/* Waits until the pool is no longer at a place: spins for a while, then yields, so that
 * more threads than cores still make progress. */
CANAO_UNUSED static canao_place canao_pool_wait(canao_pool *pool, canao_place place) {
  canao_place now;
  for (int spins = 0;
       (now = atomic_load_explicit(&pool->place, memory_order_acquire)) == place;) {
    if (spins < CANAO_SPINS) {
      ++spins;
      canao_pause();
    } else {
      sched_yield();
    }
  }
  return now;
}

/* Takes part in what runs, until nothing is left to do. */
CANAO_UNUSED static void canao_pool_work(canao_pool *pool, int tid, canao_place place) {
  while (canao_step_of(place) < pool->count) {
    long taken = canao_pool_take(pool, tid, place);
    long tasks = canao_pool_tasks(pool, canao_step_of(place));
    int last = taken > 0 && taken + atomic_fetch_add_explicit(&pool->finished, taken,
                                                              memory_order_acq_rel) == tasks;
    place = last ? canao_pool_advance(pool, place) : canao_pool_wait(pool, place);
  }
}

/* Whether there is nothing to do: neither a run nor the end of the pool. */
CANAO_UNUSED static inline int canao_pool_idle(canao_pool *pool, canao_place place) {
  return canao_step_of(place) >= pool->count && !atomic_load(&pool->stop);
}

/* Linux may wake a thread on the processor of the one that wakes it, even if others are
 * idle, and leave it there for milliseconds: the two then take turns. So a worker that
 * sleeps is kept off the caller's processor until it has woken. */
#ifdef __linux__
CANAO_UNUSED static long canao_thread_id(void) { return syscall(SYS_gettid); }

CANAO_UNUSED static void canao_worker_send(canao_worker *worker) {
  unsigned here = 0;
  if (worker->sent || worker->id <= 0 || syscall(SYS_getcpu, &here, NULL, NULL)) return;
  canao_processors others;
  memset(&others, 0, sizeof others);
  if (here / CANAO_WORD >= CANAO_WORDS) return;
  if (syscall(SYS_sched_getaffinity, worker->id, sizeof others, &others) <= 0) return;
  worker->allowed = others;
  others.bits[here / CANAO_WORD] &= ~(1ul << here % CANAO_WORD);
  /* An error, as where no other processor is allowed, changes nothing. */
  worker->sent = syscall(SYS_sched_setaffinity, worker->id, sizeof others, &others) == 0;
}

CANAO_UNUSED static void canao_worker_arrive(const canao_processors *allowed) {
  syscall(SYS_sched_setaffinity, 0, sizeof *allowed, allowed);
}
#else
CANAO_UNUSED static long canao_thread_id(void) { return 0; }
CANAO_UNUSED static void canao_worker_send(canao_worker *worker) { (void)worker; }
CANAO_UNUSED static void canao_worker_arrive(const canao_processors *allowed) { (void)allowed; }
#endif

/* Sleeps until there is a run, or the end. */
CANAO_UNUSED static canao_place canao_worker_sleep(canao_worker *worker) {
  canao_pool *pool = worker->pool;
  canao_place place;
  canao_processors allowed;
  /* `sleepers` is raised before `place` is read again, and the caller moves `place`
   * before it reads `sleepers`; both orders are total, so one of the two sees the
   * other and no wake-up is lost. */
  pthread_mutex_lock(&pool->sleep);
  atomic_fetch_add(&pool->sleepers, 1);
  worker->id = canao_thread_id();
  worker->asleep = 1;
  while (canao_pool_idle(pool, place = atomic_load(&pool->place)))
    pthread_cond_wait(&pool->wake, &pool->sleep);
  worker->asleep = 0;
  atomic_fetch_sub(&pool->sleepers, 1);
  int sent = worker->sent;
  worker->sent = 0;
  allowed = worker->allowed;
  pthread_mutex_unlock(&pool->sleep);
  if (sent) canao_worker_arrive(&allowed);
  return place;
}

/* Waits for a run, or the end: spins for a while, then sleeps. */
CANAO_UNUSED static canao_place canao_pool_await(canao_worker *worker) {
  long long end = canao_nanoseconds() + CANAO_IDLE_NANOSECONDS;
  do {
    for (int i = 0; i < 64; ++i) {
      canao_place place = atomic_load_explicit(&worker->pool->place, memory_order_acquire);
      if (!canao_pool_idle(worker->pool, place)) return place;
      canao_pause();
    }
  } while (canao_nanoseconds() < end);
  return canao_worker_sleep(worker);
}

/* Wakes the workers that sleep. */
CANAO_UNUSED static void canao_pool_rouse(canao_pool *pool) {
  if (atomic_load(&pool->sleepers) == 0) return;
  pthread_mutex_lock(&pool->sleep);
  for (int i = 0; i < pool->threads - 1; ++i)
    if (pool->workers[i].asleep) canao_worker_send(&pool->workers[i]);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->sleep);
}

CANAO_UNUSED static void *canao_pool_worker(void *argument) {
  canao_worker *worker = (canao_worker *)argument;
  canao_pool *pool = worker->pool;
  while (!atomic_load(&pool->stop)) canao_pool_work(pool, worker->tid, canao_pool_await(worker));
  return NULL;
}

/* All steps in order on the thread that asks. */
CANAO_UNUSED static void canao_pool_run_alone(canao_pool *pool, void *ctx) {
  for (int number = 0; number < pool->count; ++number) {
    const canao_step *step = &pool->steps[number];
    const long tasks = canao_pool_tasks(pool, number);
    for (long task = 0; task < tasks; ++task) step->run(ctx, 0, task);
    if (pool->after && tasks > 0) pool->after(ctx, number);
  }
}

/* Runs all steps; returns when their tasks have finished.
 * Callers that share a pool take turns. */
CANAO_UNUSED static void canao_pool_run(canao_pool *pool, void *ctx) {
  pthread_mutex_lock(&pool->caller);
  canao_pool_count(pool, ctx);
  if (pool->threads == 1) {
    canao_pool_run_alone(pool, ctx);
  } else {
    canao_place run = atomic_load_explicit(&pool->place, memory_order_relaxed) >> CANAO_STEP_BITS;
    run = (run + 1) & ((1u << CANAO_RUN_BITS) - 1);
    canao_place place = canao_pool_next(pool, run << CANAO_STEP_BITS);
    pool->ctx = ctx;
    atomic_store(&pool->place, place);
    canao_pool_rouse(pool);
    canao_pool_work(pool, 0, place);
  }
  pthread_mutex_unlock(&pool->caller);
}

CANAO_UNUSED static void canao_pool_free(canao_pool *pool) {
  free(pool->workers), free(pool->shares), free(pool->tasks), free(pool);
}

/* Stops and joins the first `started` workers and frees the pool. */
CANAO_UNUSED static void canao_pool_release(canao_pool *pool, int started) {
  atomic_store(&pool->stop, 1);
  canao_pool_rouse(pool);
  for (int i = 0; i < started; ++i) pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->sleep);
  pthread_mutex_destroy(&pool->caller);
  canao_pool_free(pool);
}

/* Ends the workers; no run may be under way. NULL is allowed. */
CANAO_UNUSED static void canao_pool_destroy(canao_pool *pool) {
  if (pool) canao_pool_release(pool, pool->threads - 1);
}

/* Aligned memory set to zero; NULL if there is not enough. */
CANAO_UNUSED static void *canao_zeros(size_t bytes) {
  void *memory = NULL;
  if (posix_memalign(&memory, CANAO_LINE, bytes)) return NULL;
  return memset(memory, 0, bytes);
}

/* A pool for `count` steps, which must outlive it, with `threads` - 1 workers; `after` may
 * be null. Returns 0, or the number of an error. */
CANAO_UNUSED static int canao_pool_create(int threads, const canao_step *steps, int count,
                                          canao_after after, canao_pool **out) {
  *out = NULL;
  if (threads < 1 || count < 0 || count >= 1 << CANAO_STEP_BITS) return EINVAL;
  canao_pool *pool = (canao_pool *)canao_zeros(sizeof(canao_pool));
  if (!pool) return ENOMEM;
  pool->shares = (canao_share *)canao_zeros(sizeof(canao_share) * (size_t)threads);
  pool->workers = (canao_worker *)calloc((size_t)threads, sizeof(canao_worker));
  pool->tasks = (atomic_long *)canao_zeros(sizeof(atomic_long) * (size_t)(count + 1));
  if (!pool->shares || !pool->workers || !pool->tasks) {
    canao_pool_free(pool);
    return ENOMEM;
  }
  pool->threads = threads;
  pool->steps = steps;
  pool->count = count;
  for (int number = 0; number < count; ++number)
    atomic_init(&pool->tasks[number], steps[number].tasks);
  pool->after = after;
  atomic_store(&pool->place, (canao_place)count);
  pthread_mutex_init(&pool->caller, NULL);
  pthread_mutex_init(&pool->sleep, NULL);
  pthread_cond_init(&pool->wake, NULL);

  /* Workers take no signals: those belong to the program that calls us. */
#ifdef SIG_SETMASK
  sigset_t all, saved;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &saved);
#endif
  int error = 0;
  for (int i = 0; i < threads - 1 && !error; ++i) {
    canao_worker *worker = &pool->workers[i];
    worker->pool = pool, worker->tid = i + 1;
    error = pthread_create(&worker->thread, NULL, canao_pool_worker, worker);
    if (error) canao_pool_release(pool, i);
  }
#ifdef SIG_SETMASK
  pthread_sigmask(SIG_SETMASK, &saved, NULL);
#endif
  if (!error) *out = pool;
  return error;
}

#endif
