/* Made by canao: continues a text, token by token; tokens go in and come out as numbers. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* what C leaves to the system: clocks, links */
#endif
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "model.h"

enum { FAILED = 1, WRONG_USE = 2 };

/* What the command line says. */
typedef struct {
  const char *weights;
  int64_t *prompt, *stops;
  int prompt_count, stop_count;
  long threads, runs, most;
  unsigned flags;
  canao_model_sampling sampling;
} request;

static int usage(FILE *file, const char *program) {
  fprintf(file,
          "usage: %s --prompt-ids 1,2,3 [--max-new-tokens N] [OPTION]...\n"
          "  prints the tokens that follow the prompt, one a line, as they come\n"
          "  --prompt-ids IDS    the numbers of the tokens of a text, up to %d\n"
          "  --max-new-tokens N  how many follow at most (default 64)\n"
          "  --stop-ids IDS      tokens before which to stop, or none (default: as the model says)\n"
          "  --temperature X     draw tokens (default 0: take the likeliest)\n"
          "  --top-k K           draw from the K likeliest alone (default 0: from all)\n"
          "  --top-p P           draw from the likeliest that together have this chance (default 1)\n"
          "  --seed S            begins the draws (default 0)\n"
          "  --threads T         threads to run with (default %d, at most %d)\n"
          "  --time N            do it N times and print the latency\n"
          "  --weights FILE      the weights (default: weights.bin beside the program)\n"
          "  --no-checksum       do not read all weights before the first run\n",
          program, CANAO_MODEL_LONGEST, CANAO_MODEL_THREADS, CANAO_MODEL_MOST_THREADS);
  return WRONG_USE;
}

/* @command */

/* @beside */

/* @refuse */

/* A number; 0 if the text is none. */
static int parse_real(const char *text, float *number) {
  char *end;
  *number = strtof(text, &end);
  return !*end && end != text;
}

/* Tokens with commas between them; 0 if the text is something else. */
static int parse_ids(const char *text, int64_t **ids, int *count) {
  size_t most = 1;
  for (const char *c = text; *c; ++c) most += *c == ',';
  free(*ids);
  *ids = (int64_t *)calloc(most, sizeof **ids);
  *count = 0;
  if (!*ids || most > INT_MAX) return 0;
  for (char *end; *count < (int)most; text = end + 1) {
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno || end == text || value < 0 || value >= CANAO_MODEL_VOCABULARY) return 0;
    (*ids)[(*count)++] = value;
    if (*end != (*count < (int)most ? ',' : 0)) return 0;
  }
  return 1;
}

/* Takes an option with its value; 0 if it makes no sense. */
static int take_option(const char *option, const char *value, request *asked) {
  canao_model_sampling *how = &asked->sampling;
  long long number;
  if (!strcmp(option, "--weights")) return asked->weights = value, 1;
  if (!strcmp(option, "--prompt-ids"))
    return parse_ids(value, &asked->prompt, &asked->prompt_count);
  if (!strcmp(option, "--stop-ids") && !strcmp(value, "none")) return asked->stop_count = 0, 1;
  if (!strcmp(option, "--stop-ids")) return parse_ids(value, &asked->stops, &asked->stop_count);
  if (!strcmp(option, "--threads")) return parse_long(value, 1, INT_MAX, &asked->threads);
  if (!strcmp(option, "--time")) return parse_long(value, 1, INT_MAX, &asked->runs);
  if (!strcmp(option, "--max-new-tokens")) return parse_long(value, 0, INT_MAX, &asked->most);
  if (!strcmp(option, "--temperature"))
    return parse_real(value, &how->temperature) && how->temperature >= 0;
  if (!strcmp(option, "--top-p"))
    return parse_real(value, &how->top_p) && how->top_p > 0 && how->top_p <= 1;
  if (!strcmp(option, "--top-k")) {
    int valid = parse(value, 0, INT_MAX, &number);
    return how->top_k = valid ? (int)number : 0, valid;
  }
  if (!strcmp(option, "--seed")) {
    int valid = parse(value, 0, LLONG_MAX, &number);
    return how->seed = valid ? (uint64_t)number : 0, valid;
  }
  return 0;
}

/* Reads the command line; 0 if it makes no sense. */
static int take(int count, char **arguments, request *asked) {
  for (int i = 1; i < count; ++i) {
    if (!strcmp(arguments[i], "--no-checksum")) {
      asked->flags |= CANAO_MODEL_TRUSTED;
      continue;
    }
    if (i + 1 == count || !take_option(arguments[i], arguments[i + 1], asked)) return 0;
    ++i;
  }
  return asked->prompt_count > 0 && asked->prompt_count <= CANAO_MODEL_LONGEST &&
         asked->threads <= CANAO_MODEL_MOST_THREADS;
}

static int stops_at(const request *asked, int64_t token) {
  for (int i = 0; i < asked->stop_count; ++i)
    if (asked->stops[i] == token) return 1;
  return 0;
}

/* Continues the prompt once; the milliseconds of the prompt and of all tokens behind it. */
static int generate(canao_model *model, const request *asked, float *logits, int prints,
                    double spent[2], long *made) {
  canao_model_sampling how = asked->sampling;
  const int64_t *tokens = asked->prompt;
  int64_t next;
  int count = asked->prompt_count;
  canao_model_reset(model);
  for (*made = 0; *made < asked->most; ++*made) {
    double start = now();
    canao_model_status status = canao_model_step(model, tokens, count, logits);
    if (status) return refuse(status, model, NULL);
    next = canao_model_pick(model, logits, &how);
    spent[*made > 0] += now() - start;
    if (next < 0) return fail("cannot pick", "a token", "the logits are no numbers");
    if (stops_at(asked, next)) return 0;
    if (prints && (printf("%lld\n", (long long)next) < 0 || fflush(stdout)))
      return fail("cannot write", "a token", strerror(errno));
    if (canao_model_seen(model) == CANAO_MODEL_LONGEST) return ++*made, 0;
    tokens = &next;
    count = 1;
  }
  return 0;
}

static int run(canao_model *model, const request *asked) {
  float *logits = (float *)malloc(CANAO_MODEL_VOCABULARY * sizeof *logits);
  if (!logits) return fail("no memory for", "logits", strerror(ENOMEM));
  double spent[2] = {0, 0};
  long made, steps = 0;
  int result = generate(model, asked, logits, 1, spent, &made);
  spent[0] = spent[1] = 0;
  for (long n = 0; n < asked->runs && !result; ++n) {
    result = generate(model, asked, logits, 0, spent, &made);
    steps += made > 1 ? made - 1 : 0;
  }
  if (asked->runs && !result)
    fprintf(stderr, "latency: %.4f ms the prompt, %.4f ms a token; %ld runs, %ld threads\n",
            spent[0] / (double)asked->runs, steps ? spent[1] / (double)steps : 0.0, asked->runs,
            asked->threads);
  free(logits);
  return result;
}

int main(int count, char **arguments) {
  static const int64_t ends[] = {CANAO_MODEL_ENDS};
  request asked = {.threads = CANAO_MODEL_THREADS, .most = 64, .sampling = {0, 0, 1, 0}};
  for (int i = 1; i < count; ++i)
    if (!strcmp(arguments[i], "--help")) return usage(stdout, arguments[0]), 0;
  asked.stops = (int64_t *)malloc(sizeof ends);
  if (!asked.stops) return fail("no memory for", "tokens", strerror(ENOMEM));
  memcpy(asked.stops, ends, sizeof ends);
  asked.stop_count = CANAO_MODEL_END_COUNT;
  int result = take(count, arguments, &asked) ? 0 : usage(stderr, arguments[0]);
  char *beside = asked.weights ? NULL : find_beside(arguments[0], "weights.bin");
  const char *path = asked.weights ? asked.weights : beside;
  if (!result && !path) result = fail("no memory for", "a path", strerror(ENOMEM));
  canao_model *model = NULL;
  canao_model_status status = CANAO_MODEL_OK;
  if (!result) model = canao_model_open(path, (int)asked.threads, asked.flags, &status);
  if (status) result = refuse(status, NULL, path);
  if (model) result = run(model, &asked);
  canao_model_close(model);
  free(beside);
  free(asked.prompt);
  free(asked.stops);
  return result;
}
