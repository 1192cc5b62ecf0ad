/* Instances of the model: weights that they share, threads and working memory of their own. */
struct canao_model {
  canao_weights *weights;
  void *handle; /* of the threads */
  void *arena;
  char *rooms; /* of inputs and outputs that are not read and written where the caller has them */
  const char *failed;
  int seen; /* tokens of the text, if the model has one */
  pthread_mutex_t turn;
  const void *weight_data[CANAO_WEIGHTS + 1];
};

const char *canao_model_text(canao_model_status status) {
  switch (status) {
    case CANAO_MODEL_OK: return "nothing is wrong";
    case CANAO_MODEL_WRONG_ARGUMENT: return "an argument is null or not aligned";
    case CANAO_MODEL_WRONG_THREADS: return "more or fewer threads than the model can run with";
    case CANAO_MODEL_WRONG_SIZE: return "a size is out of its range";
    case CANAO_MODEL_WRONG_CPU: return "the processor lacks what the program was compiled for";
    case CANAO_MODEL_NO_FILE: return "the file cannot be read";
    case CANAO_MODEL_NO_WEIGHTS: return "it is no file of weights that this program reads";
    case CANAO_MODEL_CUT_OFF: return "the file is cut off or too long; copy it again";
    case CANAO_MODEL_OTHER_WEIGHTS: return "the weights belong to another model or export";
    case CANAO_MODEL_CORRUPT: return "the file is damaged: its checksum is wrong; copy it again";
    case CANAO_MODEL_NO_MEMORY: return "there is not enough memory";
    case CANAO_MODEL_NO_THREAD: return "the system starts no more threads";
    case CANAO_MODEL_NO_DEVICE: return "the OpenCL device is not there or failed";
    case CANAO_MODEL_CHECK_FAILED: return "the model refused its inputs";
    case CANAO_MODEL_NO_TOKENIZER: return "it is no tokenizer that this program reads";
    case CANAO_MODEL_OTHER_TOKENIZER: return "the tokenizer belongs to another model";
    case CANAO_MODEL_NOT_UTF8: return "it is no text in UTF-8";
    case CANAO_MODEL_NO_TEXT: return "the text is empty; give one that may hold the answer";
    case CANAO_MODEL_NO_QUESTION: return "the question is empty; ask something";
    case CANAO_MODEL_LONG_QUESTION: return "the question is too long; ask a shorter one";
    case CANAO_MODEL_NOT_FINITE: return "the model computed something that is no number";
  }
  return "an unknown status";
}

/* Room for whole vectors, so that each begins at a line. */
static size_t canao_whole_lines(size_t bytes) {
  return (bytes + CANAO_LINE_BYTES - 1) / CANAO_LINE_BYTES * CANAO_LINE_BYTES;
}

/* What an instance has beside the arena, and how it begins. */
static size_t canao_room_bytes(void);
static void canao_prepare_rooms(canao_model *model);

/* An instance with these weights, of which it becomes a user; without it they are left. */
static canao_model *canao_start(canao_weights *weights, int threads, canao_model_status *status) {
  canao_model *model = (canao_model *)calloc(1, sizeof *model);
  if (model) {
    pthread_mutex_init(&model->turn, NULL);
    model->weights = weights;
    model->arena = canao_allocate(CANAO_ARENA_BYTES);
    model->rooms = (char *)canao_allocate(canao_room_bytes());
  } else {
    canao_leave_weights(weights);
  }
  *status = CANAO_MODEL_NO_MEMORY;
  if (model && model->arena && model->rooms) {
    for (int i = 0; i < CANAO_WEIGHTS; ++i)
      model->weight_data[i] = weights->data + canao_weight_offsets[i];
    canao_prepare_rooms(model);
    int error = canao_open(threads, &model->handle);
    *status = !error            ? CANAO_MODEL_OK
              : error == ENOMEM ? CANAO_MODEL_NO_MEMORY
              : error == ENODEV ? CANAO_MODEL_NO_DEVICE
                                : CANAO_MODEL_NO_THREAD;
  }
  if (!*status) return model;
  canao_model_close(model);
  return NULL;
}

static canao_model *canao_begin(const char *path, const void *data, size_t bytes, int threads,
                                unsigned flags, canao_model_status *status) {
  canao_model_status ignored;
  if (!status) status = &ignored;
  if (!threads) threads = CANAO_MODEL_THREADS;
  *status = canao_model_lacks()                                     ? CANAO_MODEL_WRONG_CPU
            : !path && (!data || (uintptr_t)data % CANAO_LINE_BYTES) ? CANAO_MODEL_WRONG_ARGUMENT
            : threads < 1 || threads > CANAO_MODEL_MOST_THREADS     ? CANAO_MODEL_WRONG_THREADS
                                                                    : CANAO_MODEL_OK;
  if (*status) return NULL;
  canao_weights *weights = canao_take_weights(path, data, bytes, flags, status);
  return weights ? canao_start(weights, threads, status) : NULL;
}

canao_model *canao_model_open(const char *weights, int threads, unsigned flags,
                              canao_model_status *status) {
  return canao_begin(weights, NULL, 0, threads, flags, status);
}

canao_model *canao_model_open_memory(const void *weights, size_t bytes, int threads,
                                     unsigned flags, canao_model_status *status) {
  return canao_begin(NULL, weights, bytes, threads, flags, status);
}

canao_model *canao_model_share(const canao_model *model, int threads, canao_model_status *status) {
  canao_model_status ignored;
  if (!status) status = &ignored;
  if (!threads) threads = CANAO_MODEL_THREADS;
  *status = !model                                              ? CANAO_MODEL_WRONG_ARGUMENT
            : threads < 1 || threads > CANAO_MODEL_MOST_THREADS ? CANAO_MODEL_WRONG_THREADS
                                                                : CANAO_MODEL_OK;
  if (*status) return NULL;
  atomic_fetch_add(&model->weights->users, 1);
  return canao_start(model->weights, threads, status);
}

void canao_model_close(canao_model *model) {
  if (!model) return;
  if (model->handle) canao_close(model->handle);
  canao_leave_weights(model->weights);
  pthread_mutex_destroy(&model->turn);
  free(model->rooms);
  free(model->arena);
  free(model);
}

const char *canao_model_failed(const canao_model *model) { return model ? model->failed : NULL; }

/* Runs on memory that has room for the largest sizes; the last of the inputs are the sizes. */
static canao_model_status canao_run_in_place(canao_model *model, const void *const *inputs,
                                             void *const *outputs) {
  int status = canao_run(model->handle, inputs, model->weight_data, outputs, model->arena);
  model->failed = status ? canao_message(status) : NULL;
  if (!status) return CANAO_MODEL_OK;
  return model->failed ? CANAO_MODEL_CHECK_FAILED : CANAO_MODEL_NO_DEVICE;
}
