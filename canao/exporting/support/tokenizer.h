/* Cuts texts into the tokens of the model. Threads may share a tokenizer. */
typedef struct canao_tokenizer canao_tokenizer;

/* A token and its place: bytes of the text. */
typedef struct {
  int64_t id, start, end;
} canao_tokenizer_token;

/* Reads tokenizer.bin. Null if that fails: `*status` (which may be null) says why. */
canao_tokenizer *canao_tokenizer_open(const char *file, canao_model_status *status);

/* The same with the bytes of the file in memory; they are not copied and must outlive it. */
canao_tokenizer *canao_tokenizer_open_memory(const void *bytes, size_t size,
                                             canao_model_status *status);

/* The tokens of a text in UTF-8, without special ones; what looks like one ("[SEP]") is text.
 * `*tokens` is memory that the caller frees. */
canao_model_status canao_tokenizer_encode(const canao_tokenizer *tokenizer, const char *text,
                                          size_t text_bytes, canao_tokenizer_token **tokens,
                                          size_t *count);

/* Takes white space off a span of bytes and widens it to what people see as whole characters, such
 * as a flag; 0 if nothing is left. Span and text are those of `canao_tokenizer_encode`. */
int canao_tokenizer_widen(const canao_tokenizer *tokenizer, const char *text, size_t text_bytes,
                          int64_t *start, int64_t *end);

/* Null is allowed. */
void canao_tokenizer_close(canao_tokenizer *tokenizer);
