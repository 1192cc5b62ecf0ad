/* What Native.kt declares, by the functions of model.h and answering.h. Texts and paths come as bytes of UTF-8:
 * JNI's own strings have another encoding. Each model is a number of its own; there is no other
 * state. */
#include <errno.h>
#include <jni.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "answering.h"
#include "model.h"

enum { MOST_ANSWERS = 64 };

typedef struct {
  canao_model *model;
  canao_answerer *answerer;
} reader;

/* Bytes of the caller, with a zero behind them. */
typedef struct {
  char *data;
  size_t size;
} copied;

static void throw_as(JNIEnv *env, const char *name, const char *text) {
  jclass kind = (*env)->FindClass(env, name);
  /* Where there is no such class an exception is under way already. */
  if (kind) (*env)->ThrowNew(env, kind, text);
}

/* The class of exceptions for a status: of arguments where a text is at fault. */
static const char *exception_of(canao_model_status status) {
  switch (status) {
    case CANAO_MODEL_NO_FILE: return "java/io/IOException";
    case CANAO_MODEL_NO_MEMORY: return "java/lang/OutOfMemoryError";
    case CANAO_MODEL_WRONG_CPU: return "java/lang/UnsupportedOperationException";
    case CANAO_MODEL_WRONG_ARGUMENT:
    case CANAO_MODEL_NOT_UTF8:
    case CANAO_MODEL_NO_TEXT:
    case CANAO_MODEL_NO_QUESTION:
    case CANAO_MODEL_LONG_QUESTION: return "java/lang/IllegalArgumentException";
    default: return "java/lang/IllegalStateException";
  }
}

static void throw_status(JNIEnv *env, canao_model_status status, const canao_model *model) {
  const char *check = canao_model_failed(model), *text = canao_model_text(status);
  if (status == CANAO_MODEL_NO_FILE) text = strerror(errno);
  if (status == CANAO_MODEL_CHECK_FAILED && check) text = check;
  throw_as(env, exception_of(status), text);
}

/* Whether the bytes were copied; else an exception is under way. */
static int copy(JNIEnv *env, jbyteArray bytes, copied *to) {
  to->data = NULL;
  if (!bytes) {
    throw_as(env, "java/lang/NullPointerException", "a text or a path is null");
    return 0;
  }
  jsize size = (*env)->GetArrayLength(env, bytes);
  to->size = (size_t)size;
  to->data = (char *)malloc(to->size + 1);
  if (!to->data) {
    throw_as(env, "java/lang/OutOfMemoryError", "there is no memory for a text");
    return 0;
  }
  (*env)->GetByteArrayRegion(env, bytes, 0, size, (jbyte *)to->data);
  to->data[size] = 0;
  return 1;
}

static void close_reader(reader *open) {
  if (!open) return;
  canao_answerer_close(open->answerer);
  canao_model_close(open->model);
  free(open);
}

/* Null where an exception is under way. */
static reader *open_reader(JNIEnv *env, const char *weights, const char *tokenizer) {
  canao_model_status status = CANAO_MODEL_NO_MEMORY;
  reader *open = (reader *)calloc(1, sizeof *open);
  if (open) open->model = canao_model_open(weights, 0, 0, &status);
  if (open && open->model) open->answerer = canao_answerer_open(open->model, tokenizer, &status);
  if (open && open->answerer) return open;
  throw_status(env, status, NULL);
  close_reader(open);
  return NULL;
}

JNIEXPORT jlong JNICALL Java_org_canao_answers_Native_open(JNIEnv *env, jclass kind,
                                                           jbyteArray weights,
                                                           jbyteArray tokenizer) {
  (void)kind;
  copied files[2] = {{NULL, 0}, {NULL, 0}};
  reader *open = NULL;
  if (copy(env, weights, &files[0]) && copy(env, tokenizer, &files[1]))
    open = open_reader(env, files[0].data, files[1].data);
  free(files[0].data);
  free(files[1].data);
  return (jlong)(intptr_t)open;
}

/* Asks, and hands the answers over. */
static jint answer(JNIEnv *env, reader *open, const copied *text, const copied *question,
                   jlongArray places, jfloatArray scores) {
  canao_answer answers[MOST_ANSWERS];
  int most = (int)(*env)->GetArrayLength(env, scores), count = 0;
  if (most < 1 || most > MOST_ANSWERS || (*env)->GetArrayLength(env, places) != 2 * most) {
    throw_as(env, "java/lang/IllegalArgumentException",
             "give room for 1 to 64 scores, and for two places each");
    return 0;
  }
  canao_model_status status = canao_answerer_ask(open->answerer, text->data, text->size,
                                                 question->data, question->size, answers, most,
                                                 &count);
  if (status) {
    throw_status(env, status, open->model);
    return 0;
  }
  for (int n = 0; n < count; ++n) {
    jlong place[2] = {answers[n].start, answers[n].end};
    jfloat score = answers[n].score;
    (*env)->SetLongArrayRegion(env, places, 2 * n, 2, place);
    (*env)->SetFloatArrayRegion(env, scores, n, 1, &score);
  }
  return count;
}

JNIEXPORT jint JNICALL Java_org_canao_answers_Native_ask(JNIEnv *env, jclass kind, jlong model,
                                                         jbyteArray text, jbyteArray question,
                                                         jlongArray places, jfloatArray scores) {
  (void)kind;
  reader *open = (reader *)(intptr_t)model;
  if (!open || !places || !scores) {
    throw_as(env, "java/lang/NullPointerException", "the model or a result is null");
    return 0;
  }
  copied texts[2] = {{NULL, 0}, {NULL, 0}};
  jint count = 0;
  if (copy(env, text, &texts[0]) && copy(env, question, &texts[1]))
    count = answer(env, open, &texts[0], &texts[1], places, scores);
  free(texts[0].data);
  free(texts[1].data);
  return count;
}

JNIEXPORT void JNICALL Java_org_canao_answers_Native_close(JNIEnv *env, jclass kind,
                                                           jlong model) {
  (void)env;
  (void)kind;
  close_reader((reader *)(intptr_t)model);
}
