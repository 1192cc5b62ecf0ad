/* The part of JNI that answers_jni.c uses. Functions stand at their numbers in the table, which the
 * specification of JNI fixes; what lies between is never called. */
#ifndef TEST_JNI_H
#define TEST_JNI_H

#include <stdint.h>

#define JNIEXPORT __attribute__((visibility("default")))
#define JNICALL

typedef int8_t jbyte;
typedef int32_t jint;
typedef int64_t jlong;
typedef float jfloat;
typedef jint jsize;
typedef void *jobject;
typedef jobject jclass;
typedef jobject jbyteArray;
typedef jobject jlongArray;
typedef jobject jfloatArray;

typedef const struct JNINativeInterface_ *JNIEnv;

struct JNINativeInterface_ {
  void *before_find[6];
  jclass (*FindClass)(JNIEnv *, const char *);
  void *before_throw[7];
  jint (*ThrowNew)(JNIEnv *, jclass, const char *);
  void *before_length[156];
  jsize (*GetArrayLength)(JNIEnv *, jobject);
  void *before_bytes[28];
  void (*GetByteArrayRegion)(JNIEnv *, jbyteArray, jsize, jsize, jbyte *);
  void *before_longs[11];
  void (*SetLongArrayRegion)(JNIEnv *, jlongArray, jsize, jsize, const jlong *);
  void (*SetFloatArrayRegion)(JNIEnv *, jfloatArray, jsize, jsize, const jfloat *);
};

_Static_assert(sizeof(struct JNINativeInterface_) == 214 * sizeof(void *), "a function is amiss");

#endif
