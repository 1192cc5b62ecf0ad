/* Reads the file of the tokenizer and checks that it is the one that belongs to the program.
 *
 * Its first 64 bytes are those of a file of weights, with letters of its own and the SHA-256 of
 * what follows them. Then come four numbers of 4 bytes: options of the normalizer, a bit each; the
 * token of unknown words; how many characters a word may have, and how many bytes a token has. Then
 * for each section where it begins in the file and how many elements it has, 4 bytes each. */
enum {
  CANAO_HEADER_BYTES = 64,
  CANAO_HEADER_VERSION = 1,
  CANAO_CODES = 0x110000,
  CANAO_BLOCK = 256
};

/* What sections have: the bytes that begin tokens which go on with a word; the bytes of all tokens;
 * where each begins there, and its number; a table of hashes; then the tables of characters. */
enum {
  CANAO_PREFIX,
  CANAO_BYTES,
  CANAO_TOKENS,
  CANAO_SLOTS,
  CANAO_BLOCKS,
  CANAO_PLACES,
  CANAO_RECORDS,
  CANAO_SEQUENCES,
  CANAO_SECTIONS
};

typedef struct {
  const unsigned char *data;
  uint32_t count;
} canao_section;

struct canao_tokenizer {
  unsigned char *own; /* bytes of a file; null if they were given */
  uint32_t options, unknown, most_characters, longest;
  canao_section sections[CANAO_SECTIONS];
};

static uint32_t canao_word(const canao_tokenizer *tokenizer, int section, size_t place) {
  return (uint32_t)canao_number(tokenizer->sections[section].data + 4 * place, 4);
}

static uint32_t canao_half(const canao_tokenizer *tokenizer, int section, size_t place) {
  return (uint32_t)canao_number(tokenizer->sections[section].data + 2 * place, 2);
}

/* Whether bytes begin as the program's tokenizer does, and have not changed. */
static canao_model_status canao_check_header(const unsigned char *data, size_t bytes) {
  static const unsigned char magic[8] = {'C', 'A', 'N', 'A', 'O', 'T', 0x1A, '\n'};
  static const unsigned char expected[32] = {CANAO_TOKENIZER_HASH};
  if (bytes < sizeof magic || memcmp(data, magic, sizeof magic)) return CANAO_MODEL_NO_TOKENIZER;
  if (bytes < CANAO_HEADER_BYTES) return CANAO_MODEL_CUT_OFF;
  if (canao_number(data + 8, 4) != CANAO_HEADER_VERSION) return CANAO_MODEL_NO_TOKENIZER;
  if (canao_number(data + 12, 4) != CANAO_HEADER_BYTES) return CANAO_MODEL_NO_TOKENIZER;
  if (canao_number(data + 16, 8) != bytes) return CANAO_MODEL_CUT_OFF;
  if (memcmp(data + 32, expected, sizeof expected)) return CANAO_MODEL_OTHER_TOKENIZER;
  uint32_t sum = canao_crc32(data + CANAO_HEADER_BYTES, bytes - CANAO_HEADER_BYTES);
  return sum == canao_number(data + 24, 4) ? CANAO_MODEL_OK : CANAO_MODEL_CORRUPT;
}

/* Finds the sections; 0 if one is not within the file. */
static int canao_find_sections(canao_tokenizer *tokenizer, const unsigned char *data,
                               size_t bytes) {
  static const uint64_t element[CANAO_SECTIONS] = {1, 1, 8, 4, 2, 2, 12, 4};
  const unsigned char *next = data + CANAO_HEADER_BYTES;
  if (bytes < CANAO_HEADER_BYTES + 16 + 8 * CANAO_SECTIONS) return 0;
  tokenizer->options = (uint32_t)canao_number(next, 4);
  tokenizer->unknown = (uint32_t)canao_number(next + 4, 4);
  tokenizer->most_characters = (uint32_t)canao_number(next + 8, 4);
  tokenizer->longest = (uint32_t)canao_number(next + 12, 4);
  next += 16;
  for (int i = 0; i < CANAO_SECTIONS; ++i, next += 8) {
    uint64_t start = canao_number(next, 4), count = canao_number(next + 4, 4);
    if (start > bytes || count * element[i] > bytes - start) return 0;
    tokenizer->sections[i] = (canao_section){data + start, (uint32_t)count};
  }
  return 1;
}

/* Whether every number that is a place of something is one, so that nothing is read outside. */
static int canao_places_fit(const canao_tokenizer *tokenizer) {
  const canao_section *sections = tokenizer->sections;
  uint32_t tokens = sections[CANAO_TOKENS].count, slots = sections[CANAO_SLOTS].count, last = 0;
  uint32_t records = sections[CANAO_RECORDS].count, words = sections[CANAO_SEQUENCES].count;
  if (!tokens || slots < tokens || slots & (slots - 1) || !tokenizer->most_characters) return 0;
  if (sections[CANAO_BLOCKS].count != CANAO_CODES / CANAO_BLOCK || !words) return 0;
  for (uint32_t i = 0; i < tokens; ++i) {
    uint32_t start = canao_word(tokenizer, CANAO_TOKENS, 2 * (size_t)i);
    if (start < last || start > sections[CANAO_BYTES].count) return 0;
    last = start;
  }
  uint32_t empty = 0;
  for (uint32_t i = 0; i < slots; ++i) {
    uint32_t number = canao_word(tokenizer, CANAO_SLOTS, i);
    if (number >= tokens) return 0;
    empty += !number;
  }
  for (uint32_t i = 0; i < sections[CANAO_BLOCKS].count; ++i)
    if (canao_half(tokenizer, CANAO_BLOCKS, i) >= sections[CANAO_PLACES].count / CANAO_BLOCK)
      return 0;
  for (uint32_t i = 0; i < sections[CANAO_PLACES].count; ++i)
    if (canao_half(tokenizer, CANAO_PLACES, i) >= records) return 0;
  for (uint32_t i = 0; i < words; ++i)
    if (canao_word(tokenizer, CANAO_SEQUENCES, i) >= CANAO_CODES) return 0;
  for (uint32_t i = 0; i < records; ++i)
    for (size_t column = 1; column < 3; ++column) {
      uint32_t place = canao_word(tokenizer, CANAO_RECORDS, 3 * (size_t)i + column);
      if (place >= words || canao_word(tokenizer, CANAO_SEQUENCES, place) >= words - place) return 0;
    }
  return empty > 0;
}

/* A tokenizer of these bytes, of which `own` are freed with it or without it. */
static canao_tokenizer *canao_take_tokenizer(const unsigned char *data, size_t bytes,
                                             unsigned char *own, canao_model_status *status) {
  *status = data ? canao_check_header(data, bytes) : CANAO_MODEL_WRONG_ARGUMENT;
  canao_tokenizer *tokenizer = NULL;
  if (!*status) {
    tokenizer = (canao_tokenizer *)calloc(1, sizeof *tokenizer);
    if (!tokenizer) *status = CANAO_MODEL_NO_MEMORY;
  }
  if (tokenizer && !(canao_find_sections(tokenizer, data, bytes) && canao_places_fit(tokenizer)))
    *status = CANAO_MODEL_CORRUPT;
  if (!*status) return tokenizer->own = own, tokenizer;
  free(tokenizer);
  free(own);
  return NULL;
}

canao_tokenizer *canao_tokenizer_open_memory(const void *bytes, size_t size,
                                             canao_model_status *status) {
  canao_model_status ignored;
  return canao_take_tokenizer((const unsigned char *)bytes, size, NULL, status ? status : &ignored);
}

canao_tokenizer *canao_tokenizer_open(const char *path, canao_model_status *status) {
  canao_model_status ignored;
  if (!status) status = &ignored;
  FILE *file = path ? fopen(path, "rb") : NULL;
  *status = path ? CANAO_MODEL_NO_FILE : CANAO_MODEL_WRONG_ARGUMENT;
  if (!file) return NULL;
  /* One byte more than the program expects shows a file that is too long. */
  const size_t most = CANAO_TOKENIZER_BYTES + 1;
  unsigned char *data = (unsigned char *)malloc(most);
  size_t bytes = data ? fread(data, 1, most, file) : 0;
  int error = ferror(file) ? errno : 0;
  fclose(file);
  errno = error;
  *status = data ? CANAO_MODEL_NO_FILE : CANAO_MODEL_NO_MEMORY;
  if (data && !error) return canao_take_tokenizer(data, bytes, data, status);
  free(data);
  return NULL;
}

void canao_tokenizer_close(canao_tokenizer *tokenizer) {
  if (!tokenizer) return;
  free(tokenizer->own);
  free(tokenizer);
}
