/* A text that is fed token by token: keys and values of earlier tokens are inputs that stay where
 * they are, and those of new tokens, which are results, are put behind them. */
typedef struct {
  const void *inputs[CANAO_INPUTS + 1];
  void *outputs[CANAO_OUTPUTS + 1];
  int64_t sizes[CANAO_SIZES];
} canao_places;

/* Candidates for the next token. */
typedef struct {
  float logit;
  int token;
} canao_candidate;

static size_t canao_room_bytes(void) {
  size_t bytes = canao_whole_lines(CANAO_MODEL_VOCABULARY * sizeof(canao_candidate));
  for (int i = 0; i < CANAO_INPUT_FILES; ++i) bytes += canao_whole_lines(canao_input_bytes[i]);
  for (int i = 0; i < CANAO_OUTPUTS; ++i) bytes += canao_whole_lines(canao_output_bytes[i]);
  return bytes;
}

/* Where inputs and outputs lie, behind the candidates. */
static void canao_find_places(canao_model *model, canao_places *places) {
  char *room = model->rooms;
  room += canao_whole_lines(CANAO_MODEL_VOCABULARY * sizeof(canao_candidate));
  for (int i = 0; i < CANAO_INPUT_FILES; ++i) {
    places->inputs[i] = room;
    room += canao_whole_lines(canao_input_bytes[i]);
  }
  places->inputs[CANAO_INPUT_FILES] = places->sizes;
  for (int i = 0; i < CANAO_OUTPUTS; ++i) {
    places->outputs[i] = room;
    room += canao_whole_lines(canao_output_bytes[i]);
  }
}

/* An input, to write to it. */
static void *canao_input(const canao_places *places, int input) {
  return (void *)(uintptr_t)places->inputs[input];
}

/* The first of the earlier tokens stands where nothing was seen yet: it is masked, and 0. */
static void canao_prepare_rooms(canao_model *model) {
  canao_places places;
  canao_find_places(model, &places);
  float *mask = (float *)canao_input(&places, CANAO_MASK);
  memset(mask, 0, canao_input_bytes[CANAO_MASK]);
  mask[0] = -FLT_MAX;
  for (int layer = 0; layer < CANAO_LAYERS; ++layer) {
    const size_t *room = canao_input_tensors[canao_keys[layer].input].room;
    float *keys = (float *)canao_input(&places, canao_keys[layer].input);
    for (size_t row = 0; row < room[1] * room[2]; ++row) keys[row * room[3]] = 0;
    room = canao_input_tensors[canao_values[layer].input].room;
    float *values = (float *)canao_input(&places, canao_values[layer].input);
    for (size_t head = 0; head < room[1]; ++head)
      memset(values + head * room[2] * room[3], 0, room[3] * sizeof *values);
  }
}

/* Puts new keys, of shape (1, heads, new, width), behind those of shape (1, heads, width, old). */
static void canao_append_keys(const canao_places *places, canao_cached keys, size_t past,
                              size_t count) {
  const size_t *room = canao_input_tensors[keys.input].room;
  const size_t *from = canao_output_tensors[keys.output].room;
  float *old = (float *)canao_input(places, keys.input);
  const float *fresh = (const float *)places->outputs[keys.output];
  for (size_t head = 0; head < room[1]; ++head)
    for (size_t n = 0; n < count; ++n)
      for (size_t i = 0; i < room[2]; ++i)
        old[(head * room[2] + i) * room[3] + past + n] = fresh[(head * from[2] + n) * from[3] + i];
}

/* Puts new values, of shape (1, heads, new, width), behind those of shape (1, heads, old, width). */
static void canao_append_values(const canao_places *places, canao_cached values, size_t past,
                                size_t count) {
  const size_t *room = canao_input_tensors[values.input].room;
  const size_t *from = canao_output_tensors[values.output].room;
  float *old = (float *)canao_input(places, values.input);
  const float *fresh = (const float *)places->outputs[values.output];
  for (size_t head = 0; head < room[1]; ++head)
    for (size_t n = 0; n < count; ++n)
      memcpy(old + (head * room[2] + past + n) * room[3], fresh + (head * from[2] + n) * from[3],
             room[3] * sizeof *old);
}

/* One run: at most CANAO_CHUNK tokens. */
static canao_model_status canao_feed(canao_model *model, canao_places *places,
                                     const int64_t *tokens, int count) {
  int64_t *positions = (int64_t *)canao_input(places, CANAO_POSITIONS);
  size_t past = (size_t)model->seen + 1;
  memcpy(canao_input(places, CANAO_IDS), tokens, (size_t)count * sizeof *tokens);
  for (int n = 0; n < count; ++n) positions[n] = model->seen + n;
  *(int64_t *)canao_input(places, CANAO_LAST) = count - 1;
  places->sizes[CANAO_SEQUENCE] = count;
  places->sizes[CANAO_PAST] = (int64_t)past;
  canao_model_status status = canao_run_in_place(model, places->inputs, places->outputs);
  if (status) return status;
  for (int layer = 0; layer < CANAO_LAYERS; ++layer) {
    canao_append_keys(places, canao_keys[layer], past, (size_t)count);
    canao_append_values(places, canao_values[layer], past, (size_t)count);
  }
  model->seen += count;
  return CANAO_MODEL_OK;
}

canao_model_status canao_model_step(canao_model *model, const int64_t *tokens, int count,
                                    float *logits) {
  if (!model || !tokens || !logits) return CANAO_MODEL_WRONG_ARGUMENT;
  pthread_mutex_lock(&model->turn);
  const int before = model->seen;
  canao_model_status status = CANAO_MODEL_OK;
  if (count < 1 || count > CANAO_MODEL_LONGEST - before) status = CANAO_MODEL_WRONG_SIZE;
  canao_places places;
  canao_find_places(model, &places);
  for (int done = 0; done < count && !status; done += CANAO_CHUNK) {
    int now = count - done < CANAO_CHUNK ? count - done : CANAO_CHUNK;
    status = canao_feed(model, &places, tokens + done, now);
  }
  if (status)
    model->seen = before;
  else
    memcpy(logits, places.outputs[CANAO_LOGITS], CANAO_MODEL_VOCABULARY * sizeof *logits);
  pthread_mutex_unlock(&model->turn);
  return status;
}

int canao_model_seen(const canao_model *model) { return model ? model->seen : 0; }

canao_model_status canao_model_keep(canao_model *model, int count) {
  if (!model) return CANAO_MODEL_WRONG_ARGUMENT;
  if (count < 0 || count > model->seen) return CANAO_MODEL_WRONG_SIZE;
  model->seen = count;
  return CANAO_MODEL_OK;
}

void canao_model_reset(canao_model *model) { canao_model_keep(model, 0); }
