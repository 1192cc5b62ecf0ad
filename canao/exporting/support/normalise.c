/* A text as BERT's tokenizers see it: cleaned, in lower case, without accents. Each letter knows
 * from which bytes of the text it came. */
typedef struct {
  uint32_t code;
  uint32_t kind; /* its combining class, from 1, or 0; and CANAO_ADDED */
  uint32_t start, end;
} canao_letter;

/* Whether a letter is one more of those that a character became. */
#define CANAO_ADDED 0x100u

/* Of the normalizer. */
enum { CANAO_CLEANS = 1, CANAO_SPACES_CHINESE = 2, CANAO_STRIPS = 4, CANAO_LOWERS = 8 };

typedef struct {
  canao_letter *letters;
  size_t count, room;
} canao_letters;

/* One letter more; 0 if there is no memory for it. */
static int canao_add(canao_letters *list, canao_letter letter) {
  if (list->count == list->room) {
    size_t room = list->room ? 2 * list->room : 256;
    void *grown = realloc(list->letters, room * sizeof *list->letters);
    if (!grown) return 0;
    list->letters = (canao_letter *)grown;
    list->room = room;
  }
  list->letters[list->count++] = letter;
  return 1;
}

/* The letters of a text, cleaned, with spaces around those that are words by themselves. */
static int canao_clean(const canao_tokenizer *tokenizer, const unsigned char *text, size_t bytes,
                       canao_letters *made) {
  int cleans = (tokenizer->options & CANAO_CLEANS) != 0;
  int chinese = (tokenizer->options & CANAO_SPACES_CHINESE) != 0;
  for (size_t place = 0; place < bytes;) {
    size_t start = place;
    uint32_t code = canao_next(text, &place), bits = canao_bits(tokenizer, code);
    canao_letter letter = {code, 0, (uint32_t)start, (uint32_t)place}, space = letter;
    space.code = ' ';
    if (cleans && bits & CANAO_REMOVED) continue;
    if (cleans && bits & CANAO_SPACED) letter = space;
    int apart = chinese && bits & CANAO_CHINESE;
    if (apart && !canao_add(made, space)) return 0;
    if (!canao_add(made, letter)) return 0;
    if (apart && !canao_add(made, space)) return 0;
  }
  return 1;
}

/* Adds what a letter becomes by a column of the records: 1 decomposes it, 2 is its lower case. */
static int canao_change(const canao_tokenizer *tokenizer, canao_letter letter, size_t column,
                        canao_letters *made) {
  size_t record = canao_record(tokenizer, letter.code);
  uint32_t place = canao_word(tokenizer, CANAO_RECORDS, 3 * record + column);
  if (!place) return canao_add(made, letter);
  uint32_t count = canao_word(tokenizer, CANAO_SEQUENCES, place);
  for (uint32_t n = 1; n <= count; ++n) {
    letter.code = canao_word(tokenizer, CANAO_SEQUENCES, place + n);
    letter.kind = n > 1 ? CANAO_ADDED : 0;
    if (!canao_add(made, letter)) return 0;
  }
  return 1;
}

/* Of Hangul. */
#define CANAO_FIRST_SYLLABLE 0xAC00u
#define CANAO_SYLLABLES 11172u

/* Adds the letters of a syllable of Hangul. */
static int canao_spell(canao_letter letter, canao_letters *made) {
  uint32_t number = letter.code - CANAO_FIRST_SYLLABLE, last = number % 28;
  const uint32_t codes[3] = {0x1100 + number / 588, 0x1161 + number / 28 % 21, 0x11A7 + last};
  for (int n = 0; n < 2 + (last > 0); ++n) {
    letter.code = codes[n];
    letter.kind = n ? CANAO_ADDED : 0;
    if (!canao_add(made, letter)) return 0;
  }
  return 1;
}

static uint32_t canao_class(canao_letter letter) { return letter.kind & 0xFF; }

/* Merges two runs of marks that are each in the order of their classes. */
static void canao_merge(const canao_letter *from, canao_letter *to, size_t middle, size_t end) {
  size_t one = 0, other = middle;
  for (size_t n = 0; n < end; ++n) {
    int first = other >= end || (one < middle && canao_class(from[one]) <= canao_class(from[other]));
    to[n] = from[first ? one++ : other++];
  }
}

/* Brings marks into the order of their classes; equal ones stay as they are. */
static void canao_order(canao_letter *marks, canao_letter *room, size_t count) {
  for (size_t width = 1; width < count; width *= 2) {
    for (size_t start = 0; start < count; start += 2 * width) {
      size_t left = count - start, end = left < 2 * width ? left : 2 * width;
      canao_merge(marks + start, room + start, width < end ? width : end, end);
    }
    memcpy(marks, room, count * sizeof *marks);
  }
}

/* Takes letters apart into bare ones and accents, in the order of Unicode, and leaves out accents. */
static int canao_strip(const canao_tokenizer *tokenizer, canao_letters *list, canao_letters *made) {
  for (size_t n = 0; n < list->count; ++n) {
    canao_letter letter = list->letters[n];
    int syllable = letter.code - CANAO_FIRST_SYLLABLE < CANAO_SYLLABLES;
    if (!(syllable ? canao_spell(letter, made) : canao_change(tokenizer, letter, 1, made))) return 0;
  }
  canao_letter *letters = made->letters;
  size_t longest = 0, run = 0;
  for (size_t n = 0; n < made->count; ++n) {
    letters[n].kind |= canao_bits(tokenizer, letters[n].code) >> CANAO_CLASS_SHIFT & 0xFF;
    run = canao_class(letters[n]) ? run + 1 : 0;
    longest = run > longest ? run : longest;
  }
  canao_letter *room = (canao_letter *)malloc((longest ? longest : 1) * sizeof *room);
  if (!room) return 0;
  for (size_t n = 0; n < made->count; n += run ? run : 1) {
    for (run = 0; n + run < made->count && canao_class(letters[n + run]);) ++run;
    canao_order(letters + n, room, run);
  }
  free(room);
  /* As the library has it, ordered letters take the places of the text one after another. */
  size_t taken = 0, kept = 0;
  for (size_t n = 0; n < made->count; ++n) {
    taken += !(letters[n].kind & CANAO_ADDED);
    if (canao_bits(tokenizer, letters[n].code) & CANAO_MARK) continue;
    canao_letter place = list->letters[taken ? taken - 1 : 0];
    letters[kept++] = (canao_letter){letters[n].code, 0, place.start, place.end};
  }
  made->count = kept;
  return 1;
}

static int canao_lower(const canao_tokenizer *tokenizer, canao_letters *list, canao_letters *made) {
  for (size_t n = 0; n < list->count; ++n)
    if (!canao_change(tokenizer, list->letters[n], 2, made)) return 0;
  return 1;
}

/* Replaces a list by what a step makes of it. */
static int canao_step(const canao_tokenizer *tokenizer, canao_letters *list,
                      int (*step)(const canao_tokenizer *, canao_letters *, canao_letters *)) {
  canao_letters made = {NULL, 0, 0};
  int done = step(tokenizer, list, &made);
  free(list->letters);
  *list = made;
  return done;
}

/* All of it; 0 if there is no memory. The letters are freed by the caller. */
static int canao_normalise(const canao_tokenizer *tokenizer, const unsigned char *text,
                           size_t bytes, canao_letters *list) {
  if (!canao_clean(tokenizer, text, bytes, list)) return 0;
  if (tokenizer->options & CANAO_STRIPS && !canao_step(tokenizer, list, canao_strip)) return 0;
  return !(tokenizer->options & CANAO_LOWERS) || canao_step(tokenizer, list, canao_lower);
}
