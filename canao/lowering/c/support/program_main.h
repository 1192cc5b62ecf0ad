/* A program around the emitted unit: reads raw little-endian arrays, writes raw
 * little-endian arrays.
 *
 * Above this text stand the unit and the tables of sizes and defaults: CANAO_INPUTS,
 * CANAO_INPUT_FILES (without the sizes), CANAO_OUTPUTS, CANAO_WEIGHTS, CANAO_SIZES, CANAO_RANK,
 * CANAO_ARENA_BYTES, CANAO_USUAL_THREADS, CANAO_MOST_THREADS, CANAO_WEIGHT_FILE_BYTES,
 * canao_input_bytes, canao_output_bytes, canao_weight_offsets, canao_sizes,
 * canao_input_tensors, canao_output_tensors, canao_input_lengths and canao_output_lengths. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FAILED = 1, WRONG_USE = 2 };

static int usage(FILE *file, const char *program) {
  fprintf(file,
          "usage: %s [--threads T] [--time N] [--weights FILE]%s IN... OUT...\n"
          "  %d inputs and %d outputs, raw little-endian arrays as metadata.json lists them\n"
          "  --threads T     threads to run with (default %d, at most %d)\n"
          "  --time N        run N times and print the latency\n"
          "  --weights FILE  the weights (default: weights.bin beside the program)\n",
          program, CANAO_SIZES ? " --size NAME=N..." : "", CANAO_INPUT_FILES, CANAO_OUTPUTS,
          CANAO_USUAL_THREADS, CANAO_MOST_THREADS);
  for (int i = 0; i < CANAO_SIZES; ++i)
    fprintf(file, "  --size %s=N  from %lld to %lld\n", canao_sizes[i].name,
            (long long)canao_sizes[i].low, (long long)canao_sizes[i].high);
  return WRONG_USE;
}

static int fail(const char *what, const char *name) {
  fprintf(stderr, "%s %s: %s\n", what, name, errno ? strerror(errno) : "wrong size");
  return FAILED;
}

/* Memory aligned for vectors; NULL if there is not enough. */
static void *allocate(size_t bytes) {
  void *memory = NULL;
  errno = posix_memalign(&memory, 64, bytes ? bytes : 64);
  return errno ? NULL : memory;
}

/* Moves elements between a file and the front of each dimension of a tensor's room. */
static int move(FILE *file, int writes, char *data, const canao_tensor *tensor,
                const size_t *lengths, int axis) {
  size_t stride = tensor->element;
  int whole = 1; /* whether nothing lies between the elements that follow */
  for (int i = axis + 1; i < tensor->rank; ++i) {
    stride *= tensor->room[i];
    whole &= lengths[i] == tensor->room[i];
  }
  size_t count = axis < tensor->rank ? lengths[axis] : 1;
  if (whole && writes) return fwrite(data, stride, count, file) == count || !stride;
  if (whole) return fread(data, stride, count, file) == count || !stride;
  for (size_t n = 0; n < count; ++n)
    if (!move(file, writes, data + n * stride, tensor, lengths, axis + 1)) return 0;
  return 1;
}

/* Reads a file that must have exactly the elements of an array. */
static int read_array(const char *path, void *data, const canao_tensor *tensor,
                      const size_t *lengths) {
  errno = 0;
  FILE *file = fopen(path, "rb");
  if (!file) return fail("cannot read", path);
  int whole = move(file, 0, (char *)data, tensor, lengths, 0) && fgetc(file) == EOF;
  fclose(file);
  return whole ? 0 : fail("cannot read", path);
}

static int write_array(const char *path, const void *data, const canao_tensor *tensor,
                       const size_t *lengths) {
  errno = 0;
  FILE *file = fopen(path, "wb");
  if (!file) return fail("cannot write", path);
  int whole = move(file, 1, (char *)(size_t)data, tensor, lengths, 0);
  whole = fclose(file) == 0 && whole;
  return whole ? 0 : fail("cannot write", path);
}

/* Maps the weights; one page of zeros stands for an empty file. */
static const char *map_weights(const char *path) {
  errno = 0;
  if (CANAO_WEIGHT_FILE_BYTES == 0) return (const char *)calloc(1, 64);
  int file = open(path, O_RDONLY);
  if (file < 0) return NULL;
  struct stat status;
  void *data = MAP_FAILED;
  if (fstat(file, &status) == 0 && (size_t)status.st_size == CANAO_WEIGHT_FILE_BYTES)
    data = mmap(NULL, CANAO_WEIGHT_FILE_BYTES, PROT_READ, MAP_PRIVATE, file, 0);
  close(file);
  return data == MAP_FAILED ? NULL : (const char *)data;
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

/* A whole number of at least 1; 0 if the text is none. */
static long parse_count(const char *text) {
  char *end;
  errno = 0;
  long value = strtol(text, &end, 10);
  return errno || *end || end == text || value < 1 || value > INT_MAX ? 0 : value;
}

/* Takes NAME=N for one of the sizes that vary; 0 if it is none, or out of its range. */
static int take_size(const char *text, int64_t *sizes) {
  const char *equals = strrchr(text, '=');
  for (int i = 0; equals && i < CANAO_SIZES; ++i) {
    size_t length = strlen(canao_sizes[i].name);
    if ((size_t)(equals - text) != length || strncmp(text, canao_sizes[i].name, length)) continue;
    char *end;
    errno = 0;
    long long value = strtoll(equals + 1, &end, 10);
    if (errno || *end || end == equals + 1) return 0;
    if (value < canao_sizes[i].low || value > canao_sizes[i].high) return 0;
    sizes[i] = value;
    return 1;
  }
  return 0;
}

/* The file `name` in the directory of the program. */
static char *beside(const char *program, const char *name) {
  const char *slash = strrchr(program, '/');
  size_t length = slash ? (size_t)(slash - program) + 1 : 0;
  char *path = (char *)malloc(length + strlen(name) + 1);
  if (!path) return NULL;
  memcpy(path, program, length);
  strcpy(path + length, name);
  return path;
}

int main(int count, char **arguments) {
  enum { FILES = CANAO_INPUT_FILES + CANAO_OUTPUTS };
  char *files[FILES + 1];
  char *weights_path = beside(arguments[0], "weights.bin");
  long threads = CANAO_USUAL_THREADS, runs = 0;
  int64_t sizes[CANAO_SIZES + 1];
  int given = 0;
  for (int i = 0; i < CANAO_SIZES; ++i) sizes[i] = canao_sizes[i].low - 1;
  for (int i = 1; i < count; ++i) {
    const char *word = arguments[i];
    if (!strcmp(word, "--help")) return usage(stdout, arguments[0]), 0;
    if (!strncmp(word, "--", 2)) {
      if (i + 1 == count) return usage(stderr, arguments[0]);
      char *value = arguments[++i];
      if (!strcmp(word, "--weights")) {
        weights_path = value;
        continue;
      }
      if (!strcmp(word, "--size")) {
        if (!take_size(value, sizes)) return usage(stderr, arguments[0]);
        continue;
      }
      long *number = !strcmp(word, "--threads") ? &threads : !strcmp(word, "--time") ? &runs : NULL;
      if (!number || !(*number = parse_count(value))) return usage(stderr, arguments[0]);
      continue;
    }
    if (given == FILES) return usage(stderr, arguments[0]);
    files[given++] = arguments[i];
  }
  if (given != FILES || !weights_path) return usage(stderr, arguments[0]);
  for (int i = 0; i < CANAO_SIZES; ++i)
    if (sizes[i] < canao_sizes[i].low) return usage(stderr, arguments[0]);

  size_t input_lengths[CANAO_INPUTS + 1][CANAO_RANK], output_lengths[CANAO_OUTPUTS + 1][CANAO_RANK];
  canao_input_lengths(sizes, input_lengths);
  canao_output_lengths(sizes, output_lengths);
  const void *inputs[CANAO_INPUTS + 1], *weights[CANAO_WEIGHTS + 1];
  void *outputs[CANAO_OUTPUTS + 1];
  inputs[CANAO_INPUT_FILES] = sizes; /* the last input of a program whose sizes vary */
  for (int i = 0; i < CANAO_INPUT_FILES; ++i) {
    void *data = allocate(canao_input_bytes[i]);
    if (!data) return fail("no memory for", files[i]);
    if (read_array(files[i], data, &canao_input_tensors[i], input_lengths[i])) return FAILED;
    inputs[i] = data;
  }
  for (int i = 0; i < CANAO_OUTPUTS; ++i)
    if (!(outputs[i] = allocate(canao_output_bytes[i])))
      return fail("no memory for", files[CANAO_INPUT_FILES + i]);
  const char *base = map_weights(weights_path);
  if (!base) return fail("cannot map", weights_path);
  for (int i = 0; i < CANAO_WEIGHTS; ++i) weights[i] = base + canao_weight_offsets[i];
  void *arena = allocate(CANAO_ARENA_BYTES);
  if (!arena) return fail("no memory for", "the arena");

  void *handle;
  if ((errno = canao_open((int)threads, &handle))) return fail("cannot start", "threads");
  int status = canao_run(handle, inputs, weights, outputs, arena);
  if (status) {
    const char *message = canao_message(status);
    fprintf(stderr, "a check failed: %s\n", message ? message : strerror(status));
    return FAILED;
  }
  if (runs) {
    double *times = (double *)calloc((size_t)runs, sizeof(double));
    if (!times) return fail("no memory for", "timings");
    for (long n = 0; n < runs; ++n) {
      double start = now();
      canao_run(handle, inputs, weights, outputs, arena);
      times[n] = now() - start;
    }
    qsort(times, (size_t)runs, sizeof(double), compare);
    printf("latency: %.4f ms median, %.4f ms min, %.4f ms max; %ld runs, %ld threads\n",
           times[runs / 2], times[0], times[runs - 1], runs, threads);
  }
  canao_close(handle);
  for (int i = 0; i < CANAO_OUTPUTS; ++i)
    if (write_array(files[CANAO_INPUT_FILES + i], outputs[i], &canao_output_tensors[i],
                    output_lengths[i]))
      return FAILED;
  return 0;
}
