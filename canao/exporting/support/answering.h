/* Finds the spans of a text that answer a question. Threads may share an answerer: what runs its
 * model takes turns. */
typedef struct canao_answerer canao_answerer;

/* A span, as bytes of the text, and its probability. Where `start` is `end` the text has no
 * answer, with this probability. */
typedef struct {
  int64_t start, end;
  float score;
} canao_answer;

/* Reads tokenizer.bin for a model that is open and stays so while the answerer is used. Null if
 * that fails: `*status` (which may be null) says why. */
canao_answerer *canao_answerer_open(canao_model *model, const char *tokenizer_file,
                                    canao_model_status *status);

/* The same with the bytes of the file in memory; they are not copied and must outlive it. */
canao_answerer *canao_answerer_open_memory(canao_model *model, const void *bytes, size_t size,
                                           canao_model_status *status);

/* Writes the `*count` likeliest answers, best first, at most `most` of them. Text and question are
 * in UTF-8 and need no zero behind them. The first one is that there is no answer where that is
 * likelier than every span. */
canao_model_status canao_answerer_ask(canao_answerer *answerer, const char *text,
                                      size_t text_bytes, const char *question,
                                      size_t question_bytes, canao_answer *answers, int most,
                                      int *count);

/* The model stays open. Null is allowed. */
void canao_answerer_close(canao_answerer *answerer);
