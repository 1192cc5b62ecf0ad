/* Plays the part of Java for answers_jni.c: harness WEIGHTS TOKENIZER TEXT QUESTION MOST asks one
 * question about the bytes of a file, from several threads that have a model each, and prints
 * `start end score` for each answer, or the exception. */
#include <jni.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 3, MOST = 80 };

jlong Java_org_canao_answers_Native_open(JNIEnv *, jclass, jbyteArray, jbyteArray);
jint Java_org_canao_answers_Native_ask(JNIEnv *, jclass, jlong, jbyteArray, jbyteArray, jlongArray,
                                       jfloatArray);
void Java_org_canao_answers_Native_close(JNIEnv *, jclass, jlong);

/* An array of Java: how long it is, and its elements. */
typedef struct {
  jsize length;
  void *elements;
} array;

/* One exception at most is under way in each thread. */
static _Thread_local char thrown[300];

static jclass find_class(JNIEnv *env, const char *name) { return (void)env, (jclass)(uintptr_t)name; }

static jint throw_new(JNIEnv *env, jclass kind, const char *text) {
  (void)env;
  if (thrown[0]) abort();
  snprintf(thrown, sizeof thrown, "%s: %s", (const char *)kind, text);
  return 0;
}

static jsize length_of(JNIEnv *env, jobject of) { return (void)env, ((array *)of)->length; }

/* Java throws for places that an array has not; here that ends the program. */
static char *place(jobject of, jsize start, jsize count, size_t size) {
  array *one = (array *)of;
  if (start < 0 || count < 0 || start + count > one->length) abort();
  return (char *)one->elements + size * (size_t)start;
}

static void get_bytes(JNIEnv *env, jbyteArray of, jsize start, jsize count, jbyte *to) {
  (void)env;
  memcpy(to, place(of, start, count, 1), (size_t)count);
}

static void set_longs(JNIEnv *env, jlongArray of, jsize start, jsize count, const jlong *from) {
  (void)env;
  memcpy(place(of, start, count, sizeof *from), from, sizeof *from * (size_t)count);
}

static void set_floats(JNIEnv *env, jfloatArray of, jsize start, jsize count, const jfloat *from) {
  (void)env;
  memcpy(place(of, start, count, sizeof *from), from, sizeof *from * (size_t)count);
}

static const struct JNINativeInterface_ table = {
    .FindClass = find_class,
    .ThrowNew = throw_new,
    .GetArrayLength = length_of,
    .GetByteArrayRegion = get_bytes,
    .SetLongArrayRegion = set_longs,
    .SetFloatArrayRegion = set_floats,
};

typedef struct {
  char **words; /* of the command */
  array text;
  char said[8192];
} job;

static array bytes_of(char *text) { return (array){(jsize)strlen(text), text}; }

/* Prints into the job what one question was answered with. */
static void ask(JNIEnv *env, jlong model, job *one) {
  jlong places[2 * MOST];
  jfloat scores[MOST];
  int most = atoi(one->words[5]), room = (int)sizeof one->said, used = 0;
  if (most > MOST) abort();
  array question = bytes_of(one->words[4]), at = {2 * most, places}, sure = {most, scores};
  jint count = Java_org_canao_answers_Native_ask(env, NULL, model, &one->text, &question, &at, &sure);
  for (jint n = 0; n < count && used < room; ++n)
    used += snprintf(one->said + used, (size_t)(room - used), "%lld %lld %.9g\n",
                     (long long)places[2 * n], (long long)places[2 * n + 1], (double)scores[n]);
}

static void *work(void *data) {
  job *one = (job *)data;
  JNIEnv env = &table;
  array weights = bytes_of(one->words[1]), tokenizer = bytes_of(one->words[2]);
  jlong model = Java_org_canao_answers_Native_open(&env, NULL, &weights, &tokenizer);
  if ((model == 0) != (thrown[0] != 0)) abort();
  if (model) ask(&env, model, one);
  if (model) Java_org_canao_answers_Native_close(&env, NULL, model);
  if (thrown[0]) snprintf(one->said, sizeof one->said, "%s\n", thrown);
  return NULL;
}

int main(int count, char **words) {
  static char text[1 << 20];
  static job jobs[THREADS];
  pthread_t threads[THREADS];
  FILE *file = count == 6 ? fopen(words[3], "rb") : NULL;
  if (!file) return 2;
  jsize length = (jsize)fread(text, 1, sizeof text, file);
  fclose(file);
  for (int n = 0; n < THREADS; ++n) {
    jobs[n].words = words;
    jobs[n].text = (array){length, text};
    if (pthread_create(&threads[n], NULL, work, &jobs[n])) return 2;
  }
  for (int n = 0; n < THREADS; ++n) pthread_join(threads[n], NULL);
  for (int n = 1; n < THREADS; ++n)
    if (strcmp(jobs[n].said, jobs[0].said)) return fprintf(stderr, "threads differ\n"), 3;
  fputs(jobs[0].said, stdout);
  return 0;
}
