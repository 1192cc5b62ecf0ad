/* Made by canao: one layer under one schedule, run and timed on files with raw arrays. */
#define _POSIX_C_SOURCE 200809L /* clocks, memory at a boundary */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* @tables */

enum { LINE_BYTES = 64, FAILED = 1, WRONG_USE = 2, MOST_RUNS = 1000000 };

int canao_open(int threads, void **handle);
int canao_run(void *handle, const void *const *inputs, const void *const *weights,
              void *const *outputs, void *arena);
const char *canao_message(int status);
void canao_close(void *handle);

/* What the layer is called with. */
typedef struct {
  void *handle, *arena;
  void *inputs[INPUTS + 1], *outputs[OUTPUTS + 1];
  void *weights[COPIES][WEIGHTS + 1]; /* used in turn: in a model others push them out of caches */
} layer;

static int fail(const char *what, const char *why) {
  fprintf(stderr, "%s: %s\n", what, why);
  return FAILED;
}

/* Room that begins at a line, freed when the process ends. */
static void *room(size_t bytes) {
  void *found = NULL;
  return posix_memalign(&found, LINE_BYTES, bytes ? bytes : 1) ? NULL : found;
}

/* Rooms of these sizes, filled from one file, or without one with a byte that nothing computes. */
static int fill(void **rooms, const size_t *bytes, int count, const char *path) {
  FILE *file = path ? fopen(path, "rb") : NULL;
  if (path && !file) return fail(path, strerror(errno));
  int whole = 1;
  for (int i = 0; i < count && whole; ++i) {
    rooms[i] = room(bytes[i]);
    if (!rooms[i]) whole = 0;
    else if (file) whole = fread(rooms[i], 1, bytes[i], file) == bytes[i];
    else memset(rooms[i], UNWRITTEN, bytes[i]);
  }
  if (file) fclose(file);
  return whole ? 0 : fail(path ? path : "outputs", "cut off, or too large for the memory");
}

static int copy_weights(layer *of) {
  for (int n = 1; n < COPIES; ++n)
    for (int i = 0; i < WEIGHTS; ++i) {
      of->weights[n][i] = room(weight_bytes[i]);
      if (!of->weights[n][i]) return fail("copies of weights", strerror(ENOMEM));
      memcpy(of->weights[n][i], of->weights[0][i], weight_bytes[i]);
    }
  return 0;
}

/* One run; a check of the layer may fail, as the numbers are no inputs of a model. */
static int run(layer *of, int copy) {
  int status = canao_run(of->handle, (const void *const *)of->inputs,
                         (const void *const *)of->weights[copy], of->outputs, of->arena);
  if (!status || canao_message(status)) return 0;
  fprintf(stderr, "the layer ended with error %d\n", status);
  return FAILED;
}

static int write_outputs(const layer *of, const char *path) {
  FILE *file = fopen(path, "wb");
  if (!file) return fail(path, strerror(errno));
  int whole = 1;
  for (int i = 0; i < OUTPUTS; ++i)
    whole &= fwrite(of->outputs[i], 1, output_bytes[i], file) == output_bytes[i];
  whole &= fclose(file) == 0;
  return whole ? 0 : fail(path, "cannot be written");
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

static int time_runs(layer *of, long runs) {
  double *times = (double *)calloc((size_t)runs, sizeof(double));
  if (!times) return fail("timings", strerror(ENOMEM));
  int failed = 0;
  for (long n = 0; n < runs && !failed; ++n) {
    double start = now();
    failed = run(of, (int)(n % COPIES));
    times[n] = now() - start;
  }
  qsort(times, (size_t)runs, sizeof(double), compare);
  if (!failed)
    printf("latency: %.6f ms median, %.6f ms min, %.6f ms max; %ld runs\n", times[runs / 2],
           times[0], times[runs - 1], runs);
  free(times);
  return failed;
}

/* candidate [--time N] INPUTS WEIGHTS OUTPUTS */
int main(int count, char **words) {
  static layer of;
  int timed = count > 2 && !strcmp(words[1], "--time");
  long runs = timed ? strtol(words[2], NULL, 10) : 0;
  char **files = words + (timed ? 3 : 1);
  if (count != (timed ? 6 : 4) || runs < timed || runs > MOST_RUNS) return WRONG_USE;
  if (fill(of.inputs, input_bytes, INPUTS, files[0])) return FAILED;
  if (fill(of.weights[0], weight_bytes, WEIGHTS, files[1])) return FAILED;
  if (fill(of.outputs, output_bytes, OUTPUTS, NULL) || copy_weights(&of)) return FAILED;
  of.arena = room(ARENA_BYTES);
  if (!of.arena) return fail("working memory", strerror(ENOMEM));
  int error = canao_open(THREADS, &of.handle);
  if (error) return fail("threads", strerror(error));
  int failed = run(&of, 0);
  if (!failed) failed = timed ? time_runs(&of, runs) : write_outputs(&of, files[2]);
  canao_close(of.handle);
  return failed;
}
