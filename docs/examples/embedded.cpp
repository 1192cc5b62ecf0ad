#include <iostream>
#include <memory>
#include <vector>

#include "model.h"

int main() {
  canao_model_status status;
  std::unique_ptr<canao_model, void (*)(canao_model *)> model(
      canao_model_open("weights.bin", 0, 0, &status), canao_model_close);
  if (!model) return std::cerr << canao_model_text(status) << "\n", 1;
  const std::vector<int64_t> sizes = {3};
  const std::vector<float> x = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::vector<float> y(canao_model_output_bytes(0, sizes.data()) / sizeof(float));
  const void *inputs[] = {x.data()};
  void *outputs[] = {y.data()};
  status = canao_model_run(model.get(), inputs, sizes.data(), outputs);
  for (float value : y) std::cout << value << "\n";
  return status;
}
