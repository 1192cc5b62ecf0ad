/* What kernels and helper functions need. */
#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#endif
#pragma OPENCL FP_CONTRACT ON

#define CANAO_INLINE static inline __attribute__((always_inline))

typedef char int8_t;
typedef short int16_t;
typedef int int32_t;
typedef long int64_t;
typedef uchar uint8_t;
typedef ushort uint16_t;
typedef uint uint32_t;
typedef ulong uint64_t;
#define INT64_C(number) number##L

/* A vector converted by value: an operation where the compiler has one, else a call. */
#ifdef __has_builtin
#if __has_builtin(__builtin_convertvector)
#define CANAO_CONVERT(value, type, name) __builtin_convertvector(value, type)
#endif
#endif
#ifndef CANAO_CONVERT
#define CANAO_CONVERT(value, type, name) convert_##name(value)
#endif
