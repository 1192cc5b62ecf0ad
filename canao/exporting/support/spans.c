/* Which spans of a text answer a question, by the logits of where they begin and end. */

/* A span of tokens: its place is CANAO_LONGEST times its first token and how many follow that. */
typedef struct {
  double logit;
  int64_t place;
} canao_span;

/* Tokens of a span at most. */
static int64_t canao_most(const canao_reading *reading) {
  int64_t shown = canao_shown(reading, 0);
  return shown < CANAO_LONGEST ? shown : CANAO_LONGEST;
}

/* The logits of the spans that begin at a token: the best of the windows that have them whole,
 * -HUGE_VAL for what is no span. */
static void canao_spans_at(const canao_reading *reading, int64_t token, double *logits) {
  int64_t most = canao_most(reading);
  for (int64_t more = 0; more < most; ++more) logits[more] = -HUGE_VAL;
  int64_t before = token - reading->room + 1;
  int64_t window = before > 0 ? (before + reading->step - 1) / reading->step : 0;
  for (; window < reading->number && window * reading->step <= token; ++window) {
    int64_t at = token - window * reading->step, left = canao_shown(reading, window) - at;
    const float *ends = reading->ends + window * reading->room + at;
    double start = (double)reading->starts[window * reading->room + at];
    for (int64_t more = 0; more < most && more < left; ++more) {
      double logit = start + (double)ends[more];
      /* What is no number stays, so that it is found. */
      if (logit > logits[more] || logit != logit) logits[more] = logit;
    }
  }
}

/* The logarithm of the sum of all exponentials; no finite number if one of them is none. */
static double canao_log_sum(const canao_reading *reading) {
  double logits[CANAO_LONGEST], high = CANAO_NO_ANSWER ? reading->none : -HUGE_VAL, sum = 0;
  int64_t most = canao_most(reading), tokens = (int64_t)reading->count;
  for (int64_t token = 0; token < tokens; ++token) {
    canao_spans_at(reading, token, logits);
    for (int64_t more = 0; more < most; ++more) {
      if (logits[more] != logits[more]) return HUGE_VAL;
      if (logits[more] > high) high = logits[more];
    }
  }
  if (high - high != 0) return high;
  if (CANAO_NO_ANSWER) sum = exp(reading->none - high);
  for (int64_t token = 0; token < tokens; ++token) {
    canao_spans_at(reading, token, logits);
    for (int64_t more = 0; more < most; ++more) sum += exp(logits[more] - high);
  }
  return high + log(sum);
}

/* Whether a span is ranked behind another one; of equal ones the first comes first. */
static int canao_behind(canao_span one, canao_span other) {
  return one.logit < other.logit || (one.logit == other.logit && one.place > other.place);
}

/* Lets a span sink in a heap whose last in rank is first. */
static void canao_sink(canao_span *heap, size_t count, size_t place) {
  for (size_t child; (child = 2 * place + 1) < count; place = child) {
    if (child + 1 < count && canao_behind(heap[child + 1], heap[child])) ++child;
    if (!canao_behind(heap[child], heap[place])) return;
    canao_span moved = heap[place];
    heap[place] = heap[child];
    heap[child] = moved;
  }
}

/* The best spans of tokens, best first; how many there are. */
static size_t canao_best(const canao_reading *reading, canao_span *heap, size_t most) {
  double logits[CANAO_LONGEST];
  size_t count = 0;
  int64_t longest = canao_most(reading);
  for (int64_t token = 0; token < (int64_t)reading->count; ++token) {
    canao_spans_at(reading, token, logits);
    for (int64_t more = 0; more < longest; ++more) {
      canao_span span = {logits[more], token * CANAO_LONGEST + more};
      if (span.logit == -HUGE_VAL) continue;
      if (count < most) {
        heap[count++] = span;
        if (count == most)
          for (size_t n = count / 2; n-- > 0;) canao_sink(heap, count, n);
      } else if (canao_behind(heap[0], span)) {
        heap[0] = span;
        canao_sink(heap, count, 0);
      }
    }
  }
  if (count < most)
    for (size_t n = count / 2; n-- > 0;) canao_sink(heap, count, n);
  for (size_t left = count; left-- > 1;) {
    canao_span last = heap[0];
    heap[0] = heap[left];
    heap[left] = last;
    canao_sink(heap, left, 0);
  }
  return count;
}

/* The places of spans in the text, each once, with their logits instead of scores. */
static int canao_places(const canao_answerer *answerer, const canao_reading *reading,
                        const canao_span *spans, size_t count, canao_answer *answers,
                        double *logits, int most) {
  int found = 0;
  for (size_t n = 0; n < count && found < most; ++n) {
    int64_t first = spans[n].place / CANAO_LONGEST, more = spans[n].place % CANAO_LONGEST;
    canao_answer *made = &answers[found];
    *made = (canao_answer){reading->tokens[first].start, reading->tokens[first + more].end, 0};
    if (!canao_tokenizer_widen(answerer->tokenizer, reading->text, reading->bytes, &made->start,
                               &made->end))
      continue;
    int known = 0;
    while (answers[known].start != made->start || answers[known].end != made->end) ++known;
    if (known == found) logits[found++] = spans[n].logit;
  }
  return found;
}

/* The best places in the text. Tokens that are parts of one character have the same place, so more
 * spans of tokens may have to be looked at than are wanted. */
static canao_model_status canao_choose(const canao_answerer *answerer, const canao_reading *reading,
                                       canao_answer *answers, double *logits, int most,
                                       int *count) {
  const size_t all = reading->count * (size_t)canao_most(reading);
  for (size_t looked = 4 * (size_t)most;; looked *= 8) {
    if (looked > all) looked = all;
    canao_span *spans = (canao_span *)malloc(looked * sizeof *spans);
    if (!spans) return CANAO_MODEL_NO_MEMORY;
    size_t found = canao_best(reading, spans, looked);
    *count = canao_places(answerer, reading, spans, found, answers, logits, most);
    free(spans);
    if (*count == most || looked == all) return CANAO_MODEL_OK;
  }
}

/* Puts that there is no answer first, if it is, and writes scores. */
static int canao_rank(const canao_reading *reading, double sum, canao_answer *answers,
                      const double *logits, int most, int count) {
  for (int n = 0; n < count; ++n) answers[n].score = (float)exp(logits[n] - sum);
  int answered = count > 0;
  if (CANAO_NO_ANSWER && count) answered = reading->none - logits[0] <= CANAO_THRESHOLD;
  if (answered) return count;
  if (count == most) --count;
  memmove(answers + 1, answers, (size_t)count * sizeof *answers);
  answers[0] = (canao_answer){0, 0, CANAO_NO_ANSWER ? (float)exp(reading->none - sum) : 0};
  return count + 1;
}

static canao_model_status canao_answer_reading(const canao_answerer *answerer,
                                               canao_reading *reading, canao_answer *answers,
                                               int most, int *count) {
  canao_model_status status = canao_spread(reading);
  if (!status) status = canao_read_all(answerer->model, reading);
  if (status) return status;
  double sum = canao_log_sum(reading);
  if (sum - sum != 0) return CANAO_MODEL_NOT_FINITE;
  double *logits = (double *)malloc((size_t)most * sizeof *logits);
  if (!logits) return CANAO_MODEL_NO_MEMORY;
  status = canao_choose(answerer, reading, answers, logits, most, count);
  if (!status) *count = canao_rank(reading, sum, answers, logits, most, *count);
  free(logits);
  return status;
}

canao_model_status canao_answerer_ask(canao_answerer *answerer, const char *text,
                                      size_t text_bytes, const char *question,
                                      size_t question_bytes, canao_answer *answers, int most,
                                      int *count) {
  if (!answerer || !answers || most < 1 || !count) return CANAO_MODEL_WRONG_ARGUMENT;
  canao_reading reading = {.text = text, .bytes = text_bytes};
  *count = 0;
  canao_model_status status = canao_tokenizer_encode(answerer->tokenizer, question, question_bytes,
                                                     &reading.question, &reading.asked);
  if (!status)
    status = canao_tokenizer_encode(answerer->tokenizer, text, text_bytes, &reading.tokens,
                                    &reading.count);
  if (!status) status = canao_answer_reading(answerer, &reading, answers, most, count);
  if (status) *count = 0;
  free(reading.question);
  free(reading.tokens);
  free(reading.starts);
  free(reading.ends);
  return status;
}

/* An answerer around a tokenizer, which it closes; null if there is none. */
static canao_answerer *canao_with_tokenizer(canao_model *model, canao_tokenizer *tokenizer,
                                            canao_model_status *status) {
  if (!tokenizer) return NULL;
  canao_answerer *made = model ? (canao_answerer *)malloc(sizeof *made) : NULL;
  if (made) return *made = (canao_answerer){model, tokenizer}, made;
  canao_tokenizer_close(tokenizer);
  if (status) *status = model ? CANAO_MODEL_NO_MEMORY : CANAO_MODEL_WRONG_ARGUMENT;
  return NULL;
}

canao_answerer *canao_answerer_open(canao_model *model, const char *tokenizer_file,
                                    canao_model_status *status) {
  return canao_with_tokenizer(model, canao_tokenizer_open(tokenizer_file, status), status);
}

canao_answerer *canao_answerer_open_memory(canao_model *model, const void *bytes, size_t size,
                                           canao_model_status *status) {
  return canao_with_tokenizer(model, canao_tokenizer_open_memory(bytes, size, status), status);
}

void canao_answerer_close(canao_answerer *answerer) {
  if (!answerer) return;
  canao_tokenizer_close(answerer->tokenizer);
  free(answerer);
}
