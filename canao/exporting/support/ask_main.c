/* Made by canao: answers a question about a text file. */
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

#include "answering.h"

enum { FAILED = 1, WRONG_USE = 2, MOST_ANSWERS = 100 };

/* What the command line says. */
typedef struct {
  const char *file, *question, *weights, *tokenizer;
  long threads, runs, top;
  unsigned flags;
} request;

static int usage(FILE *file, const char *program) {
  fprintf(file,
          "usage: %s --ask FILE QUESTION [OPTION]...\n"
          "  prints the answers that a text in UTF-8 has, best first, one a line: its score, where\n"
          "  it begins and ends (bytes of the file), and the answer\n"
          "  --top N           answers at most (default 3, at most %d)\n"
          "  --threads T       threads to run with (default %d, at most %d)\n"
          "  --time N          ask N times and print the latency\n"
          "  --weights FILE    the weights (default: weights.bin beside the program)\n"
          "  --tokenizer FILE  the tokenizer (default: tokenizer.bin beside the program)\n"
          "  --no-checksum     do not read all weights before the first run\n",
          program, MOST_ANSWERS, CANAO_MODEL_THREADS, CANAO_MODEL_MOST_THREADS);
  return WRONG_USE;
}

/* @command */

/* @beside */

/* @refuse */

/* Takes an option with its value; 0 if it makes no sense. */
static int take_option(const char *option, const char *value, request *asked) {
  if (!strcmp(option, "--weights")) return asked->weights = value, 1;
  if (!strcmp(option, "--tokenizer")) return asked->tokenizer = value, 1;
  if (!strcmp(option, "--top")) return parse_long(value, 1, MOST_ANSWERS, &asked->top);
  if (!strcmp(option, "--time")) return parse_long(value, 1, INT_MAX, &asked->runs);
  if (!strcmp(option, "--threads"))
    return parse_long(value, 1, CANAO_MODEL_MOST_THREADS, &asked->threads);
  return 0;
}

/* Reads the command line; 0 if it makes no sense. */
static int take(int count, char **arguments, request *asked) {
  for (int i = 1; i < count; ++i) {
    const char *word = arguments[i];
    if (!strcmp(word, "--no-checksum")) {
      asked->flags |= CANAO_MODEL_TRUSTED;
    } else if (!strcmp(word, "--ask")) {
      if (count - i < 3) return 0;
      asked->file = arguments[++i];
      asked->question = arguments[++i];
    } else if (++i == count || !take_option(word, arguments[i], asked)) {
      return 0;
    }
  }
  return asked->file != NULL;
}

/* The bytes of a file, which the caller frees; null if it cannot be read, which is said. */
static char *read_text(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  char *text = NULL;
  size_t room = 0;
  int error = file ? 0 : errno;
  *bytes = 0;
  while (!error) {
    if (*bytes == room) {
      char *grown = (char *)realloc(text, room = room ? 2 * room : 4096);
      if (!grown) error = ENOMEM;
      if (!grown) break;
      text = grown;
    }
    errno = 0;
    size_t count = fread(text + *bytes, 1, room - *bytes, file);
    *bytes += count;
    if (ferror(file)) error = errno ? errno : EIO;
    if (!count) break;
  }
  if (file) fclose(file);
  if (!error) return text;
  free(text);
  fail("cannot read", path, strerror(error));
  return NULL;
}

/* Prints a piece of text in one line: no byte of it commands the terminal. */
static void print_piece(const char *text, size_t bytes) {
  for (size_t n = 0; n < bytes; ++n) {
    unsigned char byte = (unsigned char)text[n];
    int high = byte == 0xC2 && n + 1 < bytes && (unsigned char)text[n + 1] < 0xA0;
    putchar(byte < 0x20 || byte == 0x7F || high ? ' ' : byte);
    n += (size_t)high;
  }
}

static void print_answers(const char *text, const canao_answer *answers, int count) {
  for (int n = 0; n < count; ++n) {
    canao_answer found = answers[n];
    printf("%.6f\t%lld\t%lld\t", (double)found.score, (long long)found.start,
           (long long)found.end);
    if (found.start == found.end)
      printf("(no answer)");
    else
      print_piece(text + found.start, (size_t)(found.end - found.start));
    putchar('\n');
  }
}

static int ask(canao_model *model, canao_answerer *answerer, const request *asked) {
  size_t bytes;
  char *text = read_text(asked->file, &bytes);
  if (!text) return FAILED;
  canao_answer answers[MOST_ANSWERS];
  int count = 0;
  canao_model_status status = CANAO_MODEL_OK;
  double begin = now();
  for (long n = 0; n < (asked->runs ? asked->runs : 1) && !status; ++n)
    status = canao_answerer_ask(answerer, text, bytes, asked->question, strlen(asked->question),
                                answers, (int)asked->top, &count);
  double spent = now() - begin;
  if (!status) print_answers(text, answers, count);
  free(text);
  if (status == CANAO_MODEL_CHECK_FAILED) return refuse(status, model, NULL);
  if (status) return fail("cannot answer a question about", asked->file, canao_model_text(status));
  if (asked->runs)
    fprintf(stderr, "latency: %.4f ms; %ld runs, %ld threads\n", spent / (double)asked->runs,
            asked->runs, asked->threads);
  if (fflush(stdout) || ferror(stdout)) return fail("cannot write", "answers", strerror(errno));
  return 0;
}

/* Opens what is beside the program or named, and asks. */
static int open_and_ask(const request *asked, const char *weights, const char *tokenizer) {
  if (!weights || !tokenizer) return fail("no memory for", "a path", strerror(ENOMEM));
  canao_model_status status;
  canao_model *model = canao_model_open(weights, (int)asked->threads, asked->flags, &status);
  if (!model) return refuse(status, NULL, weights);
  canao_answerer *answerer = canao_answerer_open(model, tokenizer, &status);
  int result = answerer ? ask(model, answerer, asked) : refuse(status, NULL, tokenizer);
  canao_answerer_close(answerer);
  canao_model_close(model);
  return result;
}

int main(int count, char **arguments) {
  request asked = {.threads = CANAO_MODEL_THREADS, .top = 3};
  for (int i = 1; i < count; ++i)
    if (!strcmp(arguments[i], "--help")) return usage(stdout, arguments[0]), 0;
  if (!take(count, arguments, &asked)) return usage(stderr, arguments[0]);
  char *weights = asked.weights ? NULL : find_beside(arguments[0], "weights.bin");
  char *tokenizer = asked.tokenizer ? NULL : find_beside(arguments[0], "tokenizer.bin");
  int result = open_and_ask(&asked, asked.weights ? asked.weights : weights,
                            asked.tokenizer ? asked.tokenizer : tokenizer);
  free(weights);
  free(tokenizer);
  return result;
}
