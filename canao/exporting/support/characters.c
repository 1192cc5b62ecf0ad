/* Characters of UTF-8, what the tokenizer's tables say of them, and where people see one end. */

/* Bits of a record. */
enum {
  CANAO_REMOVED = 1 << 0, /* by cleaning */
  CANAO_SPACED = 1 << 1,  /* which makes it a space */
  CANAO_CHINESE = 1 << 2, /* a word by itself */
  CANAO_MARK = 1 << 3,    /* an accent */
  CANAO_WHITE = 1 << 4,   /* between words */
  CANAO_PUNCTUATION = 1 << 5,
  CANAO_STRIPPED = 1 << 6, /* around an answer */
  CANAO_PICTURE = 1 << 12,
  CANAO_BREAK_SHIFT = 8,
  CANAO_CONJUNCT_SHIFT = 13,
  CANAO_CLASS_SHIFT = 16
};

/* The property Grapheme_Cluster_Break. */
enum {
  CANAO_CR = 1,
  CANAO_LF,
  CANAO_CONTROL,
  CANAO_EXTEND,
  CANAO_ZWJ,
  CANAO_REGIONAL,
  CANAO_PREPEND,
  CANAO_SPACING,
  CANAO_L,
  CANAO_V,
  CANAO_T,
  CANAO_LV,
  CANAO_LVT
};

/* The property Indic_Conjunct_Break. */
enum { CANAO_LINKER = 1, CANAO_CONSONANT, CANAO_JOINED };

/* Whether a text is UTF-8: no character is too long, half of a pair, or none of Unicode. */
static int canao_is_utf8(const unsigned char *text, size_t bytes) {
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  for (size_t i = 0; i < bytes;) {
    unsigned char first = text[i];
    size_t count = first < 0x80 ? 1 : first < 0xC0 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (!count || first > 0xF4 || count > bytes - i) return 0;
    uint32_t code = count == 1 ? first : first & (0x7Fu >> count);
    for (size_t n = 1; n < count; ++n) {
      if ((text[i + n] & 0xC0) != 0x80) return 0;
      code = code << 6 | (text[i + n] & 0x3F);
    }
    if (code < least[count] || code >= CANAO_CODES || (code >= 0xD800 && code < 0xE000)) return 0;
    i += count;
  }
  return 1;
}

/* The character at `*place`, which goes behind it. */
static uint32_t canao_next(const unsigned char *text, size_t *place) {
  unsigned char first = text[*place];
  size_t count = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  uint32_t code = count == 1 ? first : first & (0x7Fu >> count);
  for (size_t n = 1; n < count; ++n) code = code << 6 | (text[*place + n] & 0x3F);
  *place += count;
  return code;
}

/* Where the character before a place begins. */
static size_t canao_before(const unsigned char *text, size_t place) {
  do --place;
  while ((text[place] & 0xC0) == 0x80);
  return place;
}

/* The record of a character. */
static size_t canao_record(const canao_tokenizer *tokenizer, uint32_t code) {
  size_t block = canao_half(tokenizer, CANAO_BLOCKS, code / CANAO_BLOCK);
  return canao_half(tokenizer, CANAO_PLACES, block * CANAO_BLOCK + code % CANAO_BLOCK);
}

static uint32_t canao_bits(const canao_tokenizer *tokenizer, uint32_t code) {
  return canao_word(tokenizer, CANAO_RECORDS, 3 * canao_record(tokenizer, code));
}

static uint32_t canao_break(uint32_t bits) { return bits >> CANAO_BREAK_SHIFT & 15; }

/* Whether a cluster goes on between neighbours of these kinds, whatever was before them. */
static int canao_joins(uint32_t one, uint32_t other) {
  if (one == CANAO_CR) return other == CANAO_LF;
  if (one == CANAO_LF || one == CANAO_CONTROL) return 0;
  if (other == CANAO_CR || other == CANAO_LF || other == CANAO_CONTROL) return 0;
  if (other == CANAO_EXTEND || other == CANAO_ZWJ || other == CANAO_SPACING) return 1;
  if (one == CANAO_PREPEND) return 1;
  if (one == CANAO_L)
    return other == CANAO_L || other == CANAO_V || other == CANAO_LV || other == CANAO_LVT;
  if (one == CANAO_LV || one == CANAO_V) return other == CANAO_V || other == CANAO_T;
  return (one == CANAO_LVT || one == CANAO_T) && other == CANAO_T;
}

/* What of a cluster decides whether it goes on, beside its last character. */
typedef struct {
  int picture;  /* 1: a picture, with marks behind it; 2: and then a joiner */
  int conjunct; /* 1: a consonant, with marks behind it; 2: with a linker among them */
  int regional; /* half of a flag */
} canao_cluster;

static void canao_take(canao_cluster *cluster, uint32_t bits) {
  uint32_t kind = canao_break(bits), conjunct = bits >> CANAO_CONJUNCT_SHIFT & 3;
  cluster->picture = bits & CANAO_PICTURE                          ? 1
                     : cluster->picture == 1 && kind == CANAO_EXTEND ? 1
                     : cluster->picture == 1 && kind == CANAO_ZWJ    ? 2
                                                                   : 0;
  if (conjunct == CANAO_CONSONANT)
    cluster->conjunct = 1;
  else if (conjunct == CANAO_LINKER && cluster->conjunct)
    cluster->conjunct = 2;
  else if (conjunct != CANAO_JOINED)
    cluster->conjunct = 0;
  cluster->regional = kind == CANAO_REGIONAL && !cluster->regional;
}

/* Where the cluster of characters that begins at a place ends (Unicode Standard Annex 29). */
static size_t canao_cluster_end(const canao_tokenizer *tokenizer, const unsigned char *text,
                                size_t bytes, size_t place) {
  canao_cluster cluster = {0, 0, 0};
  uint32_t last = canao_bits(tokenizer, canao_next(text, &place));
  canao_take(&cluster, last);
  while (place < bytes) {
    size_t after = place;
    uint32_t bits = canao_bits(tokenizer, canao_next(text, &after));
    int consonant = (bits >> CANAO_CONJUNCT_SHIFT & 3) == CANAO_CONSONANT;
    int joins = canao_joins(canao_break(last), canao_break(bits)) ||
                (cluster.picture == 2 && bits & CANAO_PICTURE) ||
                (cluster.conjunct == 2 && consonant) ||
                (cluster.regional && canao_break(bits) == CANAO_REGIONAL);
    if (!joins) return place;
    canao_take(&cluster, bits);
    last = bits;
    place = after;
  }
  return place;
}

/* The last boundary of clusters at or before a place, or the first one at or after it. */
static size_t canao_boundary(const canao_tokenizer *tokenizer, const unsigned char *text,
                             size_t bytes, size_t place, int after) {
  /* A cluster begins at the last one of ASCII before it, or right before that. */
  size_t start = place;
  while (start > 0 && (text[start - 1] < 0x20 || text[start - 1] > 0x7E)) --start;
  if (start > 0) --start;
  while (start < place) {
    size_t end = canao_cluster_end(tokenizer, text, bytes, start);
    if (end > place) return after ? end : start;
    start = end;
  }
  return place;
}

static int canao_is_ascii(const unsigned char *text, size_t start, size_t end) {
  for (; start < end; ++start)
    if (text[start] > 0x7F) return 0;
  return 1;
}

int canao_tokenizer_widen(const canao_tokenizer *tokenizer, const char *given, size_t bytes,
                          int64_t *start, int64_t *end) {
  const unsigned char *text = (const unsigned char *)given;
  size_t from = (size_t)*start, to = (size_t)*end;
  for (size_t next = from; from < to; from = next)
    if (!(canao_bits(tokenizer, canao_next(text, &next)) & CANAO_STRIPPED)) break;
  while (from < to) {
    size_t last = canao_before(text, to), next = last;
    if (!(canao_bits(tokenizer, canao_next(text, &next)) & CANAO_STRIPPED)) break;
    to = last;
  }
  int empty = from >= to;
  if (!empty && !canao_is_ascii(text, from ? from - 1 : 0, to < bytes ? to + 1 : bytes)) {
    from = canao_boundary(tokenizer, text, bytes, from, 0);
    to = canao_boundary(tokenizer, text, bytes, to, 1);
  }
  *start = (int64_t)from;
  *end = (int64_t)to;
  return !empty;
}
