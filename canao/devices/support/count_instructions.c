/* A plugin of QEMU's user-mode emulators: counts the instructions that a program executes, and
 * writes their number to the file that the argument `out` names.
 *
 * The few declarations stand here because distributions ship no header of this interface. They
 * are those of qemu-plugin.h that have been the same since its first version. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*callback)(qemu_plugin_id_t,
                                                            struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block,
                                          void (*callback)(unsigned int, void *),
                                          enum qemu_plugin_cb_flags flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*callback)(qemu_plugin_id_t, void *),
                                    void *data);

#define EXPORTED __attribute__((visibility("default")))
EXPORTED int qemu_plugin_version = CANAO_PLUGIN_VERSION;
EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int count,
                                 char **arguments);

/* A number for each thread, on a cache line of its own: threads count at the same time. */
enum { THREADS = 256 };
static struct {
  uint64_t executed;
  char rest[56];
} counts[THREADS];
static char place[4096];

static void executed(unsigned int thread, void *instructions) {
  counts[thread % THREADS].executed += (uint64_t)(uintptr_t)instructions;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_cb(block, executed, QEMU_PLUGIN_CB_NO_REGS,
                                       (void *)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void ended(qemu_plugin_id_t id, void *data) {
  (void)id, (void)data;
  uint64_t sum = 0;
  for (int thread = 0; thread < THREADS; ++thread) sum += counts[thread].executed;
  FILE *file = fopen(place, "w");
  if (!file) return;
  fprintf(file, "%llu\n", (unsigned long long)sum);
  fclose(file);
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int count, char **arguments) {
  (void)info;
  for (int n = 0; n < count; ++n)
    if (!strncmp(arguments[n], "out=", 4) && strlen(arguments[n]) < sizeof place)
      strcpy(place, arguments[n] + 4);
  if (!*place) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, ended, NULL);
  return 0;
}
