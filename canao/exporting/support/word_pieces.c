/* Words, and the tokens of the vocabulary that they are cut into: always the longest that fits. */
typedef struct {
  canao_tokenizer_token *tokens;
  size_t count, room;
} canao_tokens;

/* One word in UTF-8. */
typedef struct {
  unsigned char *bytes; /* with room for the longest word */
  uint32_t *ends;       /* where each letter ends */
  uint32_t *hashes;     /* of what has been read of it, up to each letter */
} canao_spelling;

static int canao_add_token(canao_tokens *list, uint32_t id, canao_letter first, canao_letter last) {
  if (list->count == list->room) {
    size_t room = list->room ? 2 * list->room : 64;
    void *grown = realloc(list->tokens, room * sizeof *list->tokens);
    if (!grown) return 0;
    list->tokens = (canao_tokenizer_token *)grown;
    list->room = room;
  }
  list->tokens[list->count++] = (canao_tokenizer_token){id, first.start, last.end};
  return 1;
}

/* FNV-1a, by Fowler, Noll and Vo. */
static uint32_t canao_hash(uint32_t value, const unsigned char *bytes, size_t count) {
  for (size_t n = 0; n < count; ++n) value = (value ^ bytes[n]) * 16777619u;
  return value;
}

static size_t canao_write_utf8(uint32_t code, unsigned char *bytes) {
  size_t count = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  if (count == 1) return bytes[0] = (unsigned char)code, 1;
  for (size_t n = count; n-- > 1; code >>= 6) bytes[n] = (unsigned char)(0x80 | (code & 0x3F));
  bytes[0] = (unsigned char)(0xF00u >> count | code);
  return count;
}

/* The token with these bytes behind a prefix; 0 if there is none, else 1 and its number. */
static int canao_find(const canao_tokenizer *tokenizer, uint32_t hash, size_t prefix,
                      const unsigned char *bytes, size_t count, uint32_t *id) {
  const canao_section *sections = tokenizer->sections;
  const uint32_t mask = sections[CANAO_SLOTS].count - 1;
  for (uint32_t place = hash & mask;; place = (place + 1) & mask) {
    size_t number = canao_word(tokenizer, CANAO_SLOTS, place);
    if (!number--) return 0;
    size_t start = canao_word(tokenizer, CANAO_TOKENS, 2 * number);
    if (canao_word(tokenizer, CANAO_TOKENS, 2 * number + 2) - start != prefix + count) continue;
    const unsigned char *token = sections[CANAO_BYTES].data + start;
    if (memcmp(token, sections[CANAO_PREFIX].data, prefix)) continue;
    if (memcmp(token + prefix, bytes, count)) continue;
    return *id = canao_word(tokenizer, CANAO_TOKENS, 2 * number + 1), 1;
  }
}

/* The letters of the longest token that goes on at a letter of a word; 0 if there is none. */
static size_t canao_longest(const canao_tokenizer *tokenizer, const canao_spelling *word,
                            size_t letters, size_t first, uint32_t *id) {
  size_t prefix = first ? tokenizer->sections[CANAO_PREFIX].count : 0;
  size_t start = first ? word->ends[first - 1] : 0, read = first;
  uint32_t hash = canao_hash(2166136261u, tokenizer->sections[CANAO_PREFIX].data, prefix);
  for (size_t at = start; read < letters; ++read) {
    if (prefix + word->ends[read] - start > tokenizer->longest) break;
    hash = word->hashes[read] = canao_hash(hash, word->bytes + at, word->ends[read] - at);
    at = word->ends[read];
  }
  for (; read > first; --read)
    if (canao_find(tokenizer, word->hashes[read - 1], prefix, word->bytes + start,
                   word->ends[read - 1] - start, id))
      return read - first;
  return 0;
}

/* Adds the tokens of a word, or the one of unknown words where pieces of it are none. */
static int canao_cut_word(const canao_tokenizer *tokenizer, const canao_letter *letters,
                          size_t count, canao_spelling *word, canao_tokens *made) {
  size_t kept = made->count, first = 0, bytes = 0, taken = 1;
  if (!count) return 1;
  if (count > tokenizer->most_characters) taken = 0;
  for (size_t n = 0; taken && n < count; ++n) {
    bytes += canao_write_utf8(letters[n].code, word->bytes + bytes);
    word->ends[n] = (uint32_t)bytes;
  }
  for (; taken && first < count; first += taken) {
    uint32_t id;
    taken = canao_longest(tokenizer, word, count, first, &id);
    if (taken && !canao_add_token(made, id, letters[first], letters[first + taken - 1])) return 0;
  }
  if (taken) return 1;
  made->count = kept;
  return canao_add_token(made, tokenizer->unknown, letters[0], letters[count - 1]);
}

/* Words end at white space, and before and behind punctuation. */
static int canao_cut(const canao_tokenizer *tokenizer, const canao_letters *list,
                     canao_spelling *word, canao_tokens *made) {
  size_t first = 0;
  for (size_t n = 0; n < list->count; ++n) {
    uint32_t bits = canao_bits(tokenizer, list->letters[n].code);
    if (!(bits & (CANAO_WHITE | CANAO_PUNCTUATION))) continue;
    if (!canao_cut_word(tokenizer, list->letters + first, n - first, word, made)) return 0;
    if (bits & CANAO_PUNCTUATION && !canao_cut_word(tokenizer, list->letters + n, 1, word, made))
      return 0;
    first = n + 1;
  }
  return canao_cut_word(tokenizer, list->letters + first, list->count - first, word, made);
}

canao_model_status canao_tokenizer_encode(const canao_tokenizer *tokenizer, const char *text,
                                          size_t bytes, canao_tokenizer_token **tokens,
                                          size_t *count) {
  if (!tokenizer || (!text && bytes) || !tokens || !count) return CANAO_MODEL_WRONG_ARGUMENT;
  if (bytes > INT32_MAX) return CANAO_MODEL_WRONG_SIZE;
  const unsigned char *read = (const unsigned char *)text;
  if (!canao_is_utf8(read, bytes)) return CANAO_MODEL_NOT_UTF8;
  canao_letters list = {NULL, 0, 0};
  canao_tokens made = {NULL, 0, 0};
  const size_t most = tokenizer->most_characters;
  canao_spelling word = {(unsigned char *)malloc(4 * most), NULL, NULL};
  word.ends = (uint32_t *)malloc(most * sizeof *word.ends);
  word.hashes = (uint32_t *)malloc(most * sizeof *word.hashes);
  int done = word.bytes && word.ends && word.hashes;
  done = done && canao_normalise(tokenizer, read, bytes, &list);
  done = done && canao_cut(tokenizer, &list, &word, &made);
  free(list.letters);
  free(word.bytes);
  free(word.ends);
  free(word.hashes);
  if (!done) free(made.tokens);
  *tokens = done ? made.tokens : NULL;
  *count = done ? made.count : 0;
  return done ? CANAO_MODEL_OK : CANAO_MODEL_NO_MEMORY;
}
