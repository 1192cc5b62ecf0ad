/* One run of the program. */
typedef struct {
  canao_pool *pool;
  const void *const *inputs;
  const void *const *weights;
  void *const *outputs;
  char *arena;
  double *seconds; /* where to put the time of each call; may be null */
  long long last;  /* when the previous call ended */
  atomic_int status;
} canao_context;

CANAO_UNUSED static inline canao_call canao_call_of(canao_context *c, int tid) {
  char *scratch = CANAO_SCRATCH_BYTES
                      ? c->arena + CANAO_SHARED_BYTES + (size_t)tid * CANAO_SCRATCH_BYTES
                      : 0;
  return (canao_call){scratch, &c->status};
}

/* Notes how long a call took, if that was asked for. */
CANAO_UNUSED static void canao_called(void *ctx, int number) {
  canao_context *const c = (canao_context *)ctx;
  if (!c->seconds) return;
  long long now = canao_nanoseconds();
  c->seconds[number] = 1e-9 * (double)(now - c->last);
  c->last = now;
}
