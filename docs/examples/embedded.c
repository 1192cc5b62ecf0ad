#include <stdio.h>

#include "model.h"

int main(void) {
  canao_model_status status;
  canao_model *model = canao_model_open("weights.bin", 0, 0, &status);
  if (!model) return fprintf(stderr, "%s\n", canao_model_text(status)), 1;
  const int64_t sizes[CANAO_MODEL_SIZES] = {3}; /* rows */
  const float x[3][4] = {{1, 2, 3, 4}, {5, 6, 7, 8}, {9, 10, 11, 12}};
  float y[3][2];
  const void *inputs[CANAO_MODEL_INPUTS] = {x};
  void *outputs[CANAO_MODEL_OUTPUTS] = {y};
  status = canao_model_run(model, inputs, sizes, outputs);
  for (int row = 0; row < 3 && !status; ++row) printf("%.4f %.4f\n", y[row][0], y[row][1]);
  canao_model_close(model);
  return status;
}
