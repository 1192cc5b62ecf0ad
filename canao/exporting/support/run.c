/* One run on arrays that are as large as they look. */
typedef size_t canao_lengths[CANAO_RANK];

/* The bytes of rooms that are as large as what varies can be. */
static size_t canao_room_bytes(void) {
  size_t bytes = 0;
  for (int i = 0; i < CANAO_INPUT_FILES; ++i)
    if (canao_input_tensors[i].varies) bytes += canao_whole_lines(canao_input_bytes[i]);
  for (int i = 0; i < CANAO_OUTPUTS; ++i)
    if (canao_output_tensors[i].varies) bytes += canao_whole_lines(canao_output_bytes[i]);
  return bytes;
}

static void canao_prepare_rooms(canao_model *model) { (void)model; }

/* Whether all sizes are in their ranges. */
static int canao_sizes_fit(const int64_t *sizes) {
  for (int i = 0; i < CANAO_SIZES; ++i)
    if (!sizes || sizes[i] < canao_model_sizes[i].low || sizes[i] > canao_model_sizes[i].high) return 0;
  return 1;
}

static size_t canao_bytes(const canao_tensor *tensor, const size_t *lengths) {
  size_t bytes = tensor->element;
  for (int axis = 0; axis < tensor->rank; ++axis) bytes *= lengths[axis];
  return bytes;
}

size_t canao_model_input_bytes(int input, const int64_t *sizes) {
  canao_lengths lengths[CANAO_INPUTS + 1];
  if (input < 0 || input >= CANAO_INPUT_FILES || !canao_sizes_fit(sizes)) return 0;
  canao_input_lengths(sizes, lengths);
  return canao_bytes(&canao_input_tensors[input], lengths[input]);
}

size_t canao_model_output_bytes(int output, const int64_t *sizes) {
  canao_lengths lengths[CANAO_OUTPUTS + 1];
  if (output < 0 || output >= CANAO_OUTPUTS || !canao_sizes_fit(sizes)) return 0;
  canao_output_lengths(sizes, lengths);
  return canao_bytes(&canao_output_tensors[output], lengths[output]);
}

/* Moves elements between a dense array and the front of each dimension of a room. Returns the end
 * of what it has moved of the array. */
static char *canao_move(char *dense, int out, char *room, const canao_tensor *tensor,
                        const size_t *lengths, int axis) {
  size_t stride = tensor->element, count = axis < tensor->rank ? lengths[axis] : 1;
  int whole = 1; /* whether nothing lies between the elements that follow */
  for (int i = axis + 1; i < tensor->rank; ++i) {
    stride *= tensor->room[i];
    whole &= lengths[i] == tensor->room[i];
  }
  if (whole) {
    memcpy(out ? dense : room, out ? room : dense, stride * count);
    return dense + stride * count;
  }
  for (size_t n = 0; n < count; ++n)
    dense = canao_move(dense, out, room + n * stride, tensor, lengths, axis + 1);
  return dense;
}

/* As canao_model_run, for arguments that make sense. */
static canao_model_status canao_run_dense(canao_model *model, const void *const *inputs,
                                          const int64_t *sizes, void *const *outputs) {
  canao_lengths input_lengths[CANAO_INPUTS + 1], output_lengths[CANAO_OUTPUTS + 1];
  canao_input_lengths(sizes, input_lengths);
  canao_output_lengths(sizes, output_lengths);
  const void *from[CANAO_INPUTS + 1];
  void *to[CANAO_OUTPUTS + 1];
  char *room = model->rooms;
  from[CANAO_INPUT_FILES] = sizes;
  for (int i = 0; i < CANAO_INPUT_FILES; ++i) {
    from[i] = inputs[i];
    if (!canao_input_tensors[i].varies) continue;
    /* Nothing is written through the pointer. */
    canao_move((char *)(uintptr_t)inputs[i], 0, room, &canao_input_tensors[i], input_lengths[i], 0);
    from[i] = room;
    room += canao_whole_lines(canao_input_bytes[i]);
  }
  for (int i = 0; i < CANAO_OUTPUTS; ++i) {
    to[i] = outputs[i];
    if (!canao_output_tensors[i].varies) continue;
    to[i] = room;
    room += canao_whole_lines(canao_output_bytes[i]);
  }
  canao_model_status status = canao_run_in_place(model, from, to);
  for (int i = 0; i < CANAO_OUTPUTS && !status; ++i)
    if (canao_output_tensors[i].varies)
      canao_move((char *)outputs[i], 1, (char *)to[i], &canao_output_tensors[i], output_lengths[i],
                 0);
  return status;
}

canao_model_status canao_model_run(canao_model *model, const void *const *inputs,
                                   const int64_t *sizes, void *const *outputs) {
  if (!model || (CANAO_INPUT_FILES && !inputs) || (CANAO_OUTPUTS && !outputs))
    return CANAO_MODEL_WRONG_ARGUMENT;
  if (!canao_sizes_fit(sizes)) return CANAO_MODEL_WRONG_SIZE;
  for (int i = 0; i < CANAO_INPUT_FILES; ++i)
    if ((!inputs[i] && canao_model_input_bytes(i, sizes)) ||
        (uintptr_t)inputs[i] % canao_input_tensors[i].element)
      return CANAO_MODEL_WRONG_ARGUMENT;
  for (int i = 0; i < CANAO_OUTPUTS; ++i)
    if ((!outputs[i] && canao_model_output_bytes(i, sizes)) ||
        (uintptr_t)outputs[i] % canao_output_tensors[i].element)
      return CANAO_MODEL_WRONG_ARGUMENT;
  pthread_mutex_lock(&model->turn);
  canao_model_status status = canao_run_dense(model, inputs, sizes, outputs);
  pthread_mutex_unlock(&model->turn);
  return status;
}
