/* Which token comes next. */

/* The token with the largest logit, the first one of equals; -1 if one is no number. */
static int64_t canao_likeliest(const float *logits) {
  int best = 0;
  for (int token = 0; token < CANAO_MODEL_VOCABULARY; ++token) {
    if (logits[token] != logits[token]) return -1;
    if (logits[token] > logits[best]) best = token;
  }
  return best;
}

/* Lets a candidate sink in a heap whose least is first. */
static void canao_sink(canao_candidate *heap, int count, int place) {
  for (int child; (child = 2 * place + 1) < count; place = child) {
    if (child + 1 < count && heap[child + 1].logit < heap[child].logit) ++child;
    if (heap[place].logit <= heap[child].logit) return;
    canao_candidate moved = heap[place];
    heap[place] = heap[child];
    heap[child] = moved;
  }
}

/* The `count` largest candidates, the largest first. */
static void canao_largest(const float *logits, canao_candidate *heap, int count) {
  for (int n = 0; n < count; ++n) heap[n] = (canao_candidate){logits[n], n};
  for (int n = count / 2; n-- > 0;) canao_sink(heap, count, n);
  for (int token = count; token < CANAO_MODEL_VOCABULARY; ++token) {
    if (logits[token] <= heap[0].logit) continue;
    heap[0] = (canao_candidate){logits[token], token};
    canao_sink(heap, count, 0);
  }
  for (int left = count; left-- > 1;) {
    canao_candidate least = heap[0];
    heap[0] = heap[left];
    heap[left] = least;
    canao_sink(heap, left, 0);
  }
}

/* A number of at least 0 and less than 1: SplitMix64, by Steele, Lea and Flood. */
static double canao_random(uint64_t *state) {
  uint64_t z = *state += 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return (double)((z ^ z >> 31) >> 11) / 9007199254740992.0;
}

int64_t canao_model_pick(canao_model *model, const float *logits, canao_model_sampling *how) {
  if (!model || !logits || !how) return -1;
  if (!(how->temperature >= 0) || how->top_k < 0 || !(how->top_p > 0 && how->top_p <= 1)) return -1;
  int64_t likeliest = canao_likeliest(logits);
  if (how->temperature == 0 || likeliest < 0) return likeliest;
  const int all = CANAO_MODEL_VOCABULARY;
  int count = how->top_k && how->top_k < all ? how->top_k : all;
  canao_candidate *candidates = (canao_candidate *)(void *)model->rooms;
  canao_largest(logits, candidates, count);
  double total = 0, kept = 0, largest = candidates[0].logit;
  for (int n = 0; n < count; ++n) {
    double chance = exp((candidates[n].logit - largest) / how->temperature);
    candidates[n].logit = (float)chance;
    total += (double)candidates[n].logit;
  }
  int left = 0;
  while (left < count && (!left || kept < how->top_p * total)) kept += candidates[left++].logit;
  double drawn = canao_random(&how->seed) * kept;
  for (int n = 0; n < left; ++n) {
    drawn -= candidates[n].logit;
    if (drawn < 0) return candidates[n].token;
  }
  return candidates[0].token;
}
