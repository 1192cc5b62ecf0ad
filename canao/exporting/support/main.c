/* Made by canao: runs and times the model on files with raw little-endian arrays. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* what C leaves to the system: clocks, links */
#endif
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "model.h"

enum { FAILED = 1, WRONG_USE = 2, FILES = CANAO_MODEL_INPUTS + CANAO_MODEL_OUTPUTS };

/* What the command line says. */
typedef struct {
  const char *files[FILES + 1];
  const char *weights;
  int given; /* files */
  long threads, runs;
  unsigned flags;
  int64_t sizes[CANAO_MODEL_SIZES + 1];
} request;

static int usage(FILE *file, const char *program) {
  fprintf(file,
          "usage: %s [--threads T] [--time N] [--weights FILE]%s IN... OUT...\n"
          "  %d inputs and %d outputs, raw little-endian arrays as metadata.json lists them\n"
          "  --threads T     threads to run with (default %d, at most %d)\n"
          "  --time N        run N times and print the latency\n"
          "  --weights FILE  the weights (default: weights.bin beside the program)\n"
          "  --no-checksum   do not read all weights before the first run\n",
          program, CANAO_MODEL_SIZES ? " --size NAME=N..." : "", CANAO_MODEL_INPUTS,
          CANAO_MODEL_OUTPUTS, CANAO_MODEL_THREADS, CANAO_MODEL_MOST_THREADS);
  for (int i = 0; i < CANAO_MODEL_SIZES; ++i)
    fprintf(file, "  --size %s=N  from %lld to %lld\n", canao_model_sizes[i].name,
            (long long)canao_model_sizes[i].low, (long long)canao_model_sizes[i].high);
  return WRONG_USE;
}

/* @command */

/* @beside */

/* @refuse */

/* Reads a file that must have exactly the bytes of an array. */
static int read_array(const char *path, void *data, size_t bytes) {
  FILE *file = fopen(path, "rb");
  if (!file) return fail("cannot read", path, strerror(errno));
  errno = 0;
  int whole = fread(data, 1, bytes, file) == bytes && fgetc(file) == EOF && !ferror(file);
  const char *why = errno ? strerror(errno) : "wrong size";
  fclose(file);
  return whole ? 0 : fail("cannot read", path, why);
}

static int write_array(const char *path, const void *data, size_t bytes) {
  FILE *file = fopen(path, "wb");
  if (!file) return fail("cannot write", path, strerror(errno));
  int whole = fwrite(data, 1, bytes, file) == bytes;
  whole = fclose(file) == 0 && whole;
  return whole ? 0 : fail("cannot write", path, strerror(errno));
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Takes NAME=N for one of the sizes that vary; 0 if it is none, or out of its range. */
static int take_size(const char *text, int64_t *sizes) {
  const char *equals = strrchr(text, '=');
  for (int i = 0; equals && i < CANAO_MODEL_SIZES; ++i) {
    size_t length = strlen(canao_model_sizes[i].name);
    if ((size_t)(equals - text) != length || strncmp(text, canao_model_sizes[i].name, length))
      continue;
    char *end;
    errno = 0;
    long long value = strtoll(equals + 1, &end, 10);
    if (errno || *end || end == equals + 1) return 0;
    if (value < canao_model_sizes[i].low || value > canao_model_sizes[i].high) return 0;
    sizes[i] = value;
    return 1;
  }
  return 0;
}

/* Takes an option with its value; 0 if it makes no sense. */
static int take_option(const char *option, const char *value, request *asked) {
  if (!strcmp(option, "--weights")) return asked->weights = value, 1;
  if (!strcmp(option, "--size")) return take_size(value, asked->sizes);
  if (!strcmp(option, "--threads")) return parse_long(value, 1, INT_MAX, &asked->threads);
  if (!strcmp(option, "--time")) return parse_long(value, 1, INT_MAX, &asked->runs);
  return 0;
}

/* Reads the command line; 0 if it makes no sense. */
static int take(int count, char **arguments, request *asked) {
  for (int i = 0; i < CANAO_MODEL_SIZES; ++i) asked->sizes[i] = canao_model_sizes[i].low - 1;
  for (int i = 1; i < count; ++i) {
    const char *word = arguments[i];
    if (!strcmp(word, "--no-checksum")) {
      asked->flags |= CANAO_MODEL_TRUSTED;
    } else if (!strncmp(word, "--", 2)) {
      if (i + 1 == count || !take_option(word, arguments[++i], asked)) return 0;
    } else {
      if (asked->given == FILES) return 0;
      asked->files[asked->given++] = word;
    }
  }
  for (int i = 0; i < CANAO_MODEL_SIZES; ++i)
    if (asked->sizes[i] < canao_model_sizes[i].low) return 0;
  return asked->given == FILES && asked->threads <= CANAO_MODEL_MOST_THREADS;
}

/* Runs, times and prints. */
static int time_runs(canao_model *model, const void *const *inputs, void *const *outputs,
                     const request *asked) {
  double *times = (double *)calloc((size_t)asked->runs, sizeof(double));
  if (!times) return fail("no memory for", "timings", strerror(ENOMEM));
  canao_model_status status = CANAO_MODEL_OK;
  for (long n = 0; n < asked->runs && !status; ++n) {
    double start = now();
    status = canao_model_run(model, inputs, asked->sizes, outputs);
    times[n] = now() - start;
  }
  qsort(times, (size_t)asked->runs, sizeof(double), compare);
  if (!status)
    printf("latency: %.6f ms median, %.6f ms min, %.6f ms max; %ld runs, %ld threads\n",
           times[asked->runs / 2], times[0], times[asked->runs - 1], asked->runs, asked->threads);
  free(times);
  return status ? refuse(status, model, NULL) : 0;
}

/* Reads inputs, runs, writes outputs. */
static int run(canao_model *model, const request *asked, void **arrays) {
  const void *inputs[CANAO_MODEL_INPUTS + 1];
  void *outputs[CANAO_MODEL_OUTPUTS + 1];
  size_t bytes[FILES + 1];
  for (int i = 0; i < FILES; ++i) {
    bytes[i] = i < CANAO_MODEL_INPUTS
                   ? canao_model_input_bytes(i, asked->sizes)
                   : canao_model_output_bytes(i - CANAO_MODEL_INPUTS, asked->sizes);
    arrays[i] = malloc(bytes[i] ? bytes[i] : 1);
    if (!arrays[i]) return fail("no memory for", asked->files[i], strerror(ENOMEM));
    if (i >= CANAO_MODEL_INPUTS)
      outputs[i - CANAO_MODEL_INPUTS] = arrays[i];
    else if (read_array(asked->files[i], arrays[i], bytes[i]))
      return FAILED;
    else
      inputs[i] = arrays[i];
  }
  canao_model_status status = canao_model_run(model, inputs, asked->sizes, outputs);
  if (status) return refuse(status, model, NULL);
  if (asked->runs && time_runs(model, inputs, outputs, asked)) return FAILED;
  for (int i = CANAO_MODEL_INPUTS; i < FILES; ++i)
    if (write_array(asked->files[i], arrays[i], bytes[i])) return FAILED;
  return 0;
}

int main(int count, char **arguments) {
  request asked = {.threads = CANAO_MODEL_THREADS};
  for (int i = 1; i < count; ++i)
    if (!strcmp(arguments[i], "--help")) return usage(stdout, arguments[0]), 0;
  if (!take(count, arguments, &asked)) return usage(stderr, arguments[0]);
  char *beside = asked.weights ? NULL : find_beside(arguments[0], "weights.bin");
  const char *path = asked.weights ? asked.weights : beside;
  if (!path) return fail("no memory for", "a path", strerror(ENOMEM));
  canao_model_status status;
  canao_model *model = canao_model_open(path, (int)asked.threads, asked.flags, &status);
  int result = model ? 0 : refuse(status, NULL, path);
  void *arrays[FILES + 1] = {NULL};
  if (model) result = run(model, &asked, arrays);
  for (int i = 0; i < FILES; ++i) free(arrays[i]);
  canao_model_close(model);
  free(beside);
  return result;
}
