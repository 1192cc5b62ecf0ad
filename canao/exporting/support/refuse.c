/* Says why the model did not open or run. */
static int refuse(canao_model_status status, const canao_model *model, const char *weights) {
  const char *text = canao_model_text(status), *check = canao_model_failed(model);
  if (check) return fail("a check", "failed", check);
  if (status == CANAO_MODEL_WRONG_CPU)
    return fail("the processor lacks", canao_model_lacks(),
                "the program was compiled for another one; build it again with other CFLAGS");
  if (status == CANAO_MODEL_NO_FILE) text = strerror(errno);
  return weights ? fail("cannot use", weights, text) : fail("cannot run", "the model", text);
}
