
/* Computes what follows: `tokens` are `count` more of the text, at least one, and `logits` has room
 * for CANAO_MODEL_VOCABULARY numbers, one for each token that may come next. A text of any length
 * may be given at once. If it fails, the text stays as it was. */
canao_model_status canao_model_step(canao_model *model, const int64_t *tokens, int count,
                                    float *logits);

/* Tokens that the text has by now; at most CANAO_MODEL_LONGEST. */
int canao_model_seen(const canao_model *model);

/* Goes back to the first `count` tokens of the text: 0 begins a new one. */
canao_model_status canao_model_keep(canao_model *model, int count);
void canao_model_reset(canao_model *model);

/* How a token is drawn. With temperature 0 it is the likeliest one; top_k 0 and top_p 1 leave no
 * token out. `seed` changes with each draw. */
typedef struct {
  float temperature;
  int top_k;
  float top_p;
  uint64_t seed;
} canao_model_sampling;

/* The next token by its logits; -1 if an argument is out of its range or the logits are no numbers.
 * The draws are not those of PyTorch with the same seed. */
int64_t canao_model_pick(canao_model *model, const float *logits, canao_model_sampling *how);
