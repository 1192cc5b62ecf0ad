/* Reads the file of weights and checks that it is the one that belongs to the program.
 *
 * Its first CANAO_HEADER_BYTES are, with little-endian numbers: 8 bytes that no other file begins
 * with; the version (4 bytes) and the size (4) of the header; the size of the file (8); the CRC-32
 * of all that follows the header (4), as zlib computes it; 4 zeros; the SHA-256 of what the program
 * expects (32). */
#if defined(__unix__) || defined(__APPLE__)
#define CANAO_MAPS 1
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#define CANAO_MAPS 0
#include <stdio.h>
#endif

enum { CANAO_HEADER_BYTES = 64, CANAO_HEADER_VERSION = 1, CANAO_LINE_BYTES = 64 };

/* Where the bytes came from. */
enum { CANAO_GIVEN, CANAO_MAPPED, CANAO_READ };

typedef struct {
  atomic_int users;
  int source;
  const unsigned char *data;
  size_t bytes;
} canao_weights;

/* Memory aligned for vectors; null if there is not enough. */
static void *canao_allocate(size_t bytes) {
  void *memory = NULL;
  return posix_memalign(&memory, CANAO_LINE_BYTES, bytes ? bytes : 1) ? NULL : memory;
}

/* Whether bytes are the weights that the program expects. */
static canao_model_status canao_check_weights(const unsigned char *data, size_t bytes,
                                              unsigned flags) {
  static const unsigned char magic[8] = {'C', 'A', 'N', 'A', 'O', 'W', 0x1A, '\n'};
  static const unsigned char expected[32] = {CANAO_WEIGHTS_HASH};
  if (bytes < sizeof magic || memcmp(data, magic, sizeof magic)) return CANAO_MODEL_NO_WEIGHTS;
  if (bytes < CANAO_HEADER_BYTES) return CANAO_MODEL_CUT_OFF;
  if (canao_number(data + 8, 4) != CANAO_HEADER_VERSION) return CANAO_MODEL_NO_WEIGHTS;
  if (canao_number(data + 12, 4) != CANAO_HEADER_BYTES) return CANAO_MODEL_NO_WEIGHTS;
  if (canao_number(data + 16, 8) != bytes) return CANAO_MODEL_CUT_OFF;
  if (memcmp(data + 32, expected, sizeof expected)) return CANAO_MODEL_OTHER_WEIGHTS;
  if (bytes != CANAO_WEIGHT_FILE_BYTES) return CANAO_MODEL_CUT_OFF;
  if (flags & CANAO_MODEL_TRUSTED) return CANAO_MODEL_OK;
  uint32_t sum = canao_crc32(data + CANAO_HEADER_BYTES, bytes - CANAO_HEADER_BYTES);
  return sum == canao_number(data + 24, 4) ? CANAO_MODEL_OK : CANAO_MODEL_CORRUPT;
}

#if CANAO_MAPS
static canao_model_status canao_load(const char *path, canao_weights *weights) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return CANAO_MODEL_NO_FILE;
  struct stat about;
  canao_model_status status = fstat(file, &about) ? CANAO_MODEL_NO_FILE : CANAO_MODEL_OK;
  if (!status && !S_ISREG(about.st_mode)) status = CANAO_MODEL_NO_WEIGHTS;
  if (!status && about.st_size < 8) status = CANAO_MODEL_NO_WEIGHTS;
  if (!status) {
    void *data = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, file, 0);
    if (data == MAP_FAILED) status = errno == ENOMEM ? CANAO_MODEL_NO_MEMORY : CANAO_MODEL_NO_FILE;
    if (!status) weights->data = (const unsigned char *)data;
    weights->bytes = (size_t)about.st_size;
    weights->source = CANAO_MAPPED;
  }
  int error = errno;
  close(file);
  errno = error;
  return status;
}
#else
static canao_model_status canao_load(const char *path, canao_weights *weights) {
  FILE *file = fopen(path, "rb");
  if (!file) return CANAO_MODEL_NO_FILE;
  unsigned char *data = (unsigned char *)canao_allocate(CANAO_WEIGHT_FILE_BYTES);
  weights->source = CANAO_READ;
  weights->data = data;
  /* A longer file shows by the size in its header. */
  if (data) weights->bytes = fread(data, 1, CANAO_WEIGHT_FILE_BYTES, file);
  fclose(file);
  return data ? CANAO_MODEL_OK : CANAO_MODEL_NO_MEMORY;
}
#endif

/* One user less; the last one frees them. */
static void canao_leave_weights(canao_weights *weights) {
  if (!weights || atomic_fetch_sub(&weights->users, 1) > 1) return;
  if (weights->source == CANAO_READ) free((void *)(uintptr_t)weights->data);
#if CANAO_MAPS
  if (weights->source == CANAO_MAPPED && weights->data)
    munmap((void *)(uintptr_t)weights->data, weights->bytes);
#endif
  free(weights);
}

/* The weights of a file, or given ones if `path` is null; null if they are not the right ones. */
static canao_weights *canao_take_weights(const char *path, const void *data, size_t bytes,
                                         unsigned flags, canao_model_status *status) {
  canao_weights *weights = (canao_weights *)calloc(1, sizeof *weights);
  *status = weights ? CANAO_MODEL_OK : CANAO_MODEL_NO_MEMORY;
  if (!weights) return NULL;
  atomic_init(&weights->users, 1);
  weights->data = (const unsigned char *)data;
  weights->bytes = bytes;
  if (path) *status = canao_load(path, weights);
  if (!*status) *status = canao_check_weights(weights->data, weights->bytes, flags);
  if (!*status) return weights;
  int error = errno;
  canao_leave_weights(weights);
  errno = error;
  return NULL;
}
