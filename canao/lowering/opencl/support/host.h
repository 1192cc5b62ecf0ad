/* Runs the kernels of kernels.cl through the OpenCL C API, behind the functions that C units
 * export.
 *
 * Above this text stand the tables of the program: CANAO_STEPS, CANAO_MESSAGES,
 * CANAO_DEVICE_BYTES (the arena), CANAO_OPTIONS, canao_steps, canao_pieces, canao_messages,
 * canao_kernel_lines, canao_step_groups, canao_input_bytes, canao_output_bytes,
 * canao_weight_bytes. */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANAO_MOST_DEVICES = 64, CANAO_LOST = 1 << 20 };

typedef struct {
  cl_context context;
  cl_command_queue queue;
  cl_program program;
  cl_kernel kernels[CANAO_STEPS + 1];
  cl_mem buffers[5][CANAO_MOST_BUFFERS + 1]; /* by the kinds of pieces */
  int ready;                                 /* whether weights are there */
} canao_host;

/* Says what the driver refused; `what` is what was wanted. */
static int canao_refused(const char *what, cl_int error) {
  if (error != CL_SUCCESS) fprintf(stderr, "OpenCL cannot %s: error %d\n", what, (int)error);
  return error != CL_SUCCESS;
}

static int canao_matches(cl_device_id device, const char *wanted) {
  char name[256] = "";
  cl_device_type type = 0;
  clGetDeviceInfo(device, CL_DEVICE_NAME, sizeof name - 1, name, NULL);
  clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof type, &type, NULL);
  if (!strcmp(wanted, "gpu")) return (type & CL_DEVICE_TYPE_GPU) != 0;
  if (!strcmp(wanted, "cpu")) return (type & CL_DEVICE_TYPE_CPU) != 0;
  return strstr(name, wanted) != NULL;
}

/* The device that CANAO_DEVICE names ("gpu", "cpu" or a part of its name), or the kind that the
 * kernels were made for, or the first of all. */
static cl_device_id canao_device(void) {
  cl_platform_id platforms[CANAO_MOST_DEVICES];
  cl_device_id devices[CANAO_MOST_DEVICES], first = NULL;
  cl_uint platform_count = 0, count = 0;
  const char *named = getenv("CANAO_DEVICE");
  if (clGetPlatformIDs(CANAO_MOST_DEVICES, platforms, &platform_count) != CL_SUCCESS) return NULL;
  if (platform_count > CANAO_MOST_DEVICES) platform_count = CANAO_MOST_DEVICES;
  for (cl_uint p = 0; p < platform_count; ++p) {
    count = 0;
    if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, CANAO_MOST_DEVICES, devices, &count))
      continue;
    if (count > CANAO_MOST_DEVICES) count = CANAO_MOST_DEVICES;
    for (cl_uint d = 0; d < count; ++d) {
      if (canao_matches(devices[d], named ? named : CANAO_KIND)) return devices[d];
      if (!first) first = devices[d];
    }
  }
  return named ? NULL : first;
}

static int canao_build(canao_host *host, cl_device_id device) {
  cl_int error;
  enum { LINES = sizeof canao_kernel_lines / sizeof *canao_kernel_lines };
  host->program = clCreateProgramWithSource(host->context, LINES,
                                            (const char **)(void *)canao_kernel_lines, NULL, &error);
  if (canao_refused("take the kernels", error)) return 1;
  error = clBuildProgram(host->program, 1, &device, CANAO_OPTIONS, NULL, NULL);
  if (canao_refused("build the kernels", error)) {
    enum { LOG = 1 << 14 };
    char *log = (char *)calloc(1, LOG);
    if (log) clGetProgramBuildInfo(host->program, device, CL_PROGRAM_BUILD_LOG, LOG - 1, log, NULL);
    fprintf(stderr, "%s\n", log ? log : "");
    free(log);
    return 1;
  }
  for (int i = 0; i < CANAO_STEPS; ++i) {
    host->kernels[i] = clCreateKernel(host->program, canao_steps[i].kernel, &error);
    if (canao_refused("find a kernel", error)) return 1;
  }
  return 0;
}

static int canao_make(canao_host *host, int kind, int number, size_t bytes, cl_mem_flags flags,
                      const void *data) {
  cl_int error;
  host->buffers[kind][number] = clCreateBuffer(host->context, flags, bytes ? bytes : 1,
                                               bytes ? (void *)(size_t)data : NULL, &error);
  return canao_refused("allocate a buffer", error);
}

/* Makes all buffers, with the weights in them, and sets the arguments of the kernels. */
static int canao_prepare(canao_host *host, const void *const *weights) {
  for (int i = 0; i < CANAO_INPUTS; ++i)
    if (canao_make(host, CANAO_INPUT, i, canao_input_bytes[i], CL_MEM_READ_ONLY, NULL)) return 1;
  for (int i = 0; i < CANAO_OUTPUTS; ++i)
    if (canao_make(host, CANAO_OUTPUT, i, canao_output_bytes[i], CL_MEM_READ_WRITE, NULL)) return 1;
  for (int i = 0; i < CANAO_WEIGHTS; ++i) {
    size_t bytes = canao_weight_bytes[i];
    cl_mem_flags copy = bytes ? CL_MEM_COPY_HOST_PTR : 0;
    if (canao_make(host, CANAO_WEIGHT, i, bytes, CL_MEM_READ_ONLY | copy, weights[i])) return 1;
  }
  if (canao_make(host, CANAO_ARENA, 0, CANAO_DEVICE_BYTES, CL_MEM_READ_WRITE, NULL)) return 1;
  if (canao_make(host, CANAO_STATUS, 0, sizeof(cl_int), CL_MEM_READ_WRITE, NULL)) return 1;
  for (int i = 0; i < CANAO_STEPS; ++i)
    for (int n = 0; n < canao_steps[i].count; ++n) {
      const canao_piece *piece = &canao_pieces[canao_steps[i].first + n];
      cl_mem memory = host->buffers[piece->kind][piece->number];
      cl_ulong start = piece->start;
      cl_uint at = 2 * (cl_uint)n;
      if (canao_refused("set an argument",
                        clSetKernelArg(host->kernels[i], at, sizeof memory, &memory)))
        return 1;
      if (canao_refused("set an argument",
                        clSetKernelArg(host->kernels[i], at + 1, sizeof start, &start)))
        return 1;
    }
  host->ready = 1;
  return 0;
}

static void canao_close(void *handle) {
  canao_host *const host = (canao_host *)handle;
  if (!host) return;
  for (int i = 0; i < CANAO_STEPS; ++i)
    if (host->kernels[i]) clReleaseKernel(host->kernels[i]);
  for (int kind = 0; kind < 5; ++kind)
    for (int i = 0; i < CANAO_MOST_BUFFERS; ++i)
      if (host->buffers[kind][i]) clReleaseMemObject(host->buffers[kind][i]);
  if (host->program) clReleaseProgram(host->program);
  if (host->queue) clReleaseCommandQueue(host->queue);
  if (host->context) clReleaseContext(host->context);
  free(host);
}

/* Finds the device and builds the kernels; 0, or the number of an error. */
static int canao_open(int threads, void **handle) {
  (void)threads; /* the driver has its own */
  canao_host *host = (canao_host *)calloc(1, sizeof *host);
  cl_int error = CL_SUCCESS;
  *handle = NULL;
  if (!host) return ENOMEM;
  cl_device_id device = canao_device();
  if (!device) {
    fprintf(stderr, "there is no OpenCL device, or none is called as CANAO_DEVICE says\n");
    free(host);
    return ENODEV;
  }
  host->context = clCreateContext(NULL, 1, &device, NULL, NULL, &error);
  if (!canao_refused("open the device", error)) {
    host->queue = clCreateCommandQueue(host->context, device, 0, &error);
    if (!canao_refused("make a queue", error) && !canao_build(host, device)) {
      *handle = host;
      return 0;
    }
  }
  canao_close(host);
  return ENODEV;
}

/* Runs all kernels; 0, or what canao_message explains. */
static int canao_run(void *handle, const void *const *inputs, const void *const *weights,
                     void *const *outputs, void *arena) {
  canao_host *const host = (canao_host *)handle;
  cl_int status = 0, error = CL_SUCCESS;
  (void)arena; /* it is on the device */
  if (!host->ready && canao_prepare(host, weights)) return CANAO_LOST;
  for (int i = 0; i < CANAO_INPUTS; ++i)
    if (canao_input_bytes[i])
      error |= clEnqueueWriteBuffer(host->queue, host->buffers[CANAO_INPUT][i], CL_FALSE, 0,
                                    canao_input_bytes[i], inputs[i], 0, NULL, NULL);
  error |= clEnqueueWriteBuffer(host->queue, host->buffers[CANAO_STATUS][0], CL_FALSE, 0,
                                sizeof status, &status, 0, NULL, NULL);
  size_t groups[CANAO_STEPS + 1];
  canao_step_groups((const int64_t *)inputs[CANAO_INPUT_FILES], groups);
  for (int i = 0; i < CANAO_STEPS; ++i) {
    size_t items = groups[i] * canao_steps[i].group;
    if (items)
      error |= clEnqueueNDRangeKernel(host->queue, host->kernels[i], 1, NULL, &items,
                                      &canao_steps[i].group, 0, NULL, NULL);
  }
  for (int i = 0; i < CANAO_OUTPUTS; ++i)
    if (canao_output_bytes[i])
      error |= clEnqueueReadBuffer(host->queue, host->buffers[CANAO_OUTPUT][i], CL_FALSE, 0,
                                   canao_output_bytes[i], outputs[i], 0, NULL, NULL);
  cl_int noted = 0;
  error |= clEnqueueReadBuffer(host->queue, host->buffers[CANAO_STATUS][0], CL_FALSE, 0,
                               sizeof noted, &noted, 0, NULL, NULL);
  error |= clFinish(host->queue);
  return error != CL_SUCCESS ? CANAO_LOST : noted;
}

/* The check behind a status of canao_run. */
static const char *canao_message(int status) {
  return status < 1 || status > CANAO_MESSAGES ? "the OpenCL device failed"
                                               : canao_messages[status - 1];
}
