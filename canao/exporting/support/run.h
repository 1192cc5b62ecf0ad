
/* The bytes of an input or an output for some sizes; 0 for a number or a size out of range. */
size_t canao_model_input_bytes(int input, const int64_t *sizes);
size_t canao_model_output_bytes(int output, const int64_t *sizes);

/* Computes the outputs. `inputs` and `outputs` point to CANAO_MODEL_INPUTS and CANAO_MODEL_OUTPUTS
 * dense row-major arrays, aligned as their elements are; outputs overlap nothing. `sizes` has the
 * CANAO_MODEL_SIZES dimensions that vary, in order, and may be null where there are none. */
canao_model_status canao_model_run(canao_model *model, const void *const *inputs,
                                   const int64_t *sizes, void *const *outputs);
