#include <stdio.h>
#include <string.h>

#include "answering.h"

int main(void) {
  const char *text = "Ada Lovelace wrote the first program.", *question = "Who wrote it?";
  canao_model_status status;
  canao_model *model = canao_model_open("weights.bin", 0, 0, &status);
  canao_answerer *answerer = canao_answerer_open(model, "tokenizer.bin", &status);
  if (!answerer) return fprintf(stderr, "%s\n", canao_model_text(status)), 1;
  canao_answer found[3];
  int count;
  status = canao_answerer_ask(answerer, text, strlen(text), question, strlen(question), found, 3, &count);
  for (int n = 0; n < count && !status; ++n)
    printf("%.3f %.*s\n", found[n].score, (int)(found[n].end - found[n].start), text + found[n].start);
  canao_answerer_close(answerer);
  canao_model_close(model);
  return status;
}
