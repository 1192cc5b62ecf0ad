typedef enum {
  CANAO_MODEL_OK = 0,
  CANAO_MODEL_WRONG_ARGUMENT, /* a null pointer, or data that is not aligned as it must be */
  CANAO_MODEL_WRONG_THREADS,  /* fewer than 1, or more than CANAO_MODEL_MOST_THREADS */
  CANAO_MODEL_WRONG_SIZE,     /* a dimension is out of its range */
  CANAO_MODEL_WRONG_CPU,      /* canao_model_lacks() says what is missing */
  CANAO_MODEL_NO_FILE,        /* the weights cannot be read; errno says why */
  CANAO_MODEL_NO_WEIGHTS,     /* the file is no file of weights, or one of another version */
  CANAO_MODEL_CUT_OFF,        /* the file of weights is shorter or longer than it says */
  CANAO_MODEL_OTHER_WEIGHTS,  /* the weights belong to another model, or to another export */
  CANAO_MODEL_CORRUPT,        /* the checksum of the weights is wrong */
  CANAO_MODEL_NO_MEMORY,
  CANAO_MODEL_NO_THREAD,      /* the system starts no more threads */
  CANAO_MODEL_NO_DEVICE,      /* no device of OpenCL, or it failed */
  CANAO_MODEL_CHECK_FAILED,   /* the model refused its inputs; canao_model_failed() says why */
  /* Of models that answer questions: */
  CANAO_MODEL_NO_TOKENIZER,    /* the file is no tokenizer, or one of another version */
  CANAO_MODEL_OTHER_TOKENIZER, /* the tokenizer belongs to another model */
  CANAO_MODEL_NOT_UTF8,        /* a text or a question is not UTF-8 */
  CANAO_MODEL_NO_TEXT,         /* the text has no token */
  CANAO_MODEL_NO_QUESTION,     /* the question has no token */
  CANAO_MODEL_LONG_QUESTION,   /* the question leaves the text less than a fourth of a window */
  CANAO_MODEL_NOT_FINITE       /* the model computed something that is no number */
} canao_model_status;

/* One sentence that says what a status means; never null. */
const char *canao_model_text(canao_model_status status);

/* The first feature of a processor that the program was compiled for and that this one lacks;
 * null if there is none. */
const char *canao_model_lacks(void);

/* An instance of the model: its threads and its working memory. Threads of the caller may use
 * different instances at the same time; what shares one instance takes turns. */
typedef struct canao_model canao_model;

/* For `flags`: do not compute the checksum of the weights, which reads all of them. Their size, and
 * to which model they belong, is always checked. */
#define CANAO_MODEL_TRUSTED 1u

/* Maps a file of weights, which must not change while it is used, and starts `threads` - 1
 * threads; 0 stands for CANAO_MODEL_THREADS. Null if that fails: `*status` (which may be null) says
 * why. */
canao_model *canao_model_open(const char *weights, int threads, unsigned flags,
                              canao_model_status *status);

/* The same with the bytes of the file in memory, at a multiple of 64 bytes; they are not copied and
 * must outlive all instances that use them. */
canao_model *canao_model_open_memory(const void *weights, size_t bytes, int threads,
                                     unsigned flags, canao_model_status *status);

/* Another instance, which shares the weights of an open one. */
canao_model *canao_model_share(const canao_model *model, int threads, canao_model_status *status);

/* Ends the threads of an instance and frees its memory; the last one unmaps the weights. No
 * function may be using it. Null is allowed. */
void canao_model_close(canao_model *model);

/* The check that the inputs of the last run did not pass; null if they passed all. */
const char *canao_model_failed(const canao_model *model);
