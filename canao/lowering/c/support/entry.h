
/* The interface of the unit. */
CANAO_EXPORT int canao_open(int threads, void **handle);
CANAO_EXPORT int canao_run(void *handle, const void *const *inputs, const void *const *weights,
                           void *const *outputs, void *arena);
CANAO_EXPORT int canao_profile(void *handle, const void *const *inputs,
                               const void *const *weights, void *const *outputs, void *arena,
                               double *seconds);
CANAO_EXPORT const char *canao_message(int status);
CANAO_EXPORT void canao_close(void *handle);

/* Starts the threads; 0, or the number of an error. */
int canao_open(int threads, void **handle) {
  *handle = 0;
  if (threads < 1 || threads > CANAO_THREADS) return EINVAL;
  canao_pool *pool = 0;
  int error = canao_pool_create(threads, canao_steps, CANAO_CALLS, canao_called, &pool);
  *handle = pool;
  return error;
}

/* Runs all calls, and measures each if `seconds` is given; 0, or what canao_message explains. */
int canao_profile(void *handle, const void *const *inputs, const void *const *weights,
                  void *const *outputs, void *arena, double *seconds) {
  canao_context c = {.pool = (canao_pool *)handle,
                     .inputs = inputs,
                     .weights = weights,
                     .outputs = outputs,
                     .arena = (char *)arena,
                     .seconds = seconds,
                     .last = seconds ? canao_nanoseconds() : 0};
  canao_pool_run(c.pool, &c);
  return atomic_load(&c.status);
}

int canao_run(void *handle, const void *const *inputs, const void *const *weights,
              void *const *outputs, void *arena) {
  return canao_profile(handle, inputs, weights, outputs, arena, 0);
}

/* The assertion behind a status of canao_run; null if there is none. */
const char *canao_message(int status) {
  return status < 1 || status > CANAO_MESSAGES ? 0 : canao_messages[status - 1];
}

/* Ends the threads. */
void canao_close(void *handle) { canao_pool_destroy((canao_pool *)handle); }
