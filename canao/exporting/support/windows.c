/* Windows of tokens over a text: each holds the whole question and a part of the text. */
struct canao_answerer {
  canao_model *model;
  canao_tokenizer *tokenizer;
};

/* A text that is read through windows, and where the model says that an answer begins and ends. */
typedef struct {
  const char *text;
  size_t bytes;
  canao_tokenizer_token *question, *tokens; /* without special ones */
  size_t asked, count;
  int64_t room;   /* tokens of the text that a window has at most */
  int64_t step;   /* tokens between the beginnings of windows */
  int64_t number; /* of windows */
  float *starts, *ends; /* a logit for each token of each window, `room` a window */
  double none;          /* the logit of no answer, the lowest of the windows */
} canao_reading;

/* The tokens of the text in a window. */
static int64_t canao_shown(const canao_reading *reading, int64_t window) {
  int64_t left = (int64_t)reading->count - window * reading->step;
  return left < reading->room ? left : reading->room;
}

/* Spreads windows over the text. */
static canao_model_status canao_spread(canao_reading *reading) {
  if (!reading->asked) return CANAO_MODEL_NO_QUESTION;
  if (!reading->count) return CANAO_MODEL_NO_TEXT;
  const int64_t tokens = (int64_t)reading->count, asked = (int64_t)reading->asked;
  reading->room = CANAO_WINDOW - CANAO_FIRST - CANAO_BETWEEN - CANAO_LAST - asked;
  /* The text gets a fourth at least: no question makes endless windows. */
  if (reading->room * 4 < CANAO_WINDOW) return CANAO_MODEL_LONG_QUESTION;
  int64_t half = reading->room / 2, shared = CANAO_STRIDE < half ? CANAO_STRIDE : half;
  reading->step = reading->room - shared;
  int64_t left = tokens > reading->room ? tokens - reading->room : 0;
  reading->number = 1 + (left + reading->step - 1) / reading->step;
  size_t logits = (size_t)(reading->number * reading->room);
  reading->starts = (float *)calloc(logits, sizeof(float));
  reading->ends = (float *)calloc(logits, sizeof(float));
  return reading->starts && reading->ends ? CANAO_MODEL_OK : CANAO_MODEL_NO_MEMORY;
}

/* What the model takes and gives for a window. */
typedef struct {
  int64_t ids[CANAO_WINDOW], types[CANAO_WINDOW], mask[CANAO_WINDOW];
  float starts[CANAO_WINDOW], ends[CANAO_WINDOW];
  int64_t count;
} canao_window;

static void canao_put(canao_window *window, int64_t id, int64_t type) {
  window->ids[window->count] = id;
  window->types[window->count] = type;
  window->mask[window->count++] = 1;
}

static void canao_put_special(canao_window *window, const canao_special *tokens, int count) {
  for (int n = 0; n < count; ++n) canao_put(window, tokens[n].id, tokens[n].type);
}

/* Reads a window. */
static canao_model_status canao_read(canao_model *model, canao_reading *reading, int64_t number,
                                     canao_window *window) {
  const canao_tokenizer_token *shown = reading->tokens + number * reading->step;
  int64_t count = canao_shown(reading, number);
  window->count = 0;
  canao_put_special(window, canao_first, CANAO_FIRST);
  for (size_t n = 0; n < reading->asked; ++n)
    canao_put(window, reading->question[n].id, CANAO_QUESTION_TYPE);
  canao_put_special(window, canao_between, CANAO_BETWEEN);
  int64_t begin = window->count, none = 0;
  for (int64_t n = 0; n < count; ++n) canao_put(window, shown[n].id, CANAO_TEXT_TYPE);
  canao_put_special(window, canao_last, CANAO_LAST);
  const void *inputs[CANAO_MODEL_INPUTS + 1] = {CANAO_ASKED_INPUTS};
  void *outputs[CANAO_MODEL_OUTPUTS + 1] = {CANAO_ASKED_OUTPUTS};
  const int64_t sizes[CANAO_MODEL_SIZES + 1] = {CANAO_ASKED_SIZES};
  canao_model_status status = canao_model_run(model, inputs, sizes, outputs);
  if (status) return status;
  while (none < window->count && window->ids[none] != CANAO_NONE_TOKEN) ++none;
  if (none == window->count) none = 0;
  size_t bytes = (size_t)count * sizeof(float);
  memcpy(reading->starts + number * reading->room, window->starts + begin, bytes);
  memcpy(reading->ends + number * reading->room, window->ends + begin, bytes);
  double logit = (double)window->starts[none] + (double)window->ends[none];
  if (logit != logit) return CANAO_MODEL_NOT_FINITE;
  if (!number || logit < reading->none) reading->none = logit;
  return CANAO_MODEL_OK;
}

/* Reads all windows, one after another. */
static canao_model_status canao_read_all(canao_model *model, canao_reading *reading) {
  canao_window *window = (canao_window *)malloc(sizeof *window);
  canao_model_status status = window ? CANAO_MODEL_OK : CANAO_MODEL_NO_MEMORY;
  for (int64_t n = 0; n < reading->number && !status; ++n)
    status = canao_read(model, reading, n, window);
  free(window);
  return status;
}
