/* Whether the processor has what kernels.c was compiled for. What asks must run on any processor:
 * this file is compiled without options that choose one. Above this text stands the table of what
 * is asked for, in which a feature is bit `bit` of word `word` of some `leaf`. */
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

/* Leaf and subleaf are one number, 256 times the first and the second; words are eax, ebx, ecx and
 * edx. */
static unsigned canao_processor_word(unsigned leaf, int word) {
  unsigned words[4] = {0, 0, 0, 0};
  unsigned high = leaf & 0x80000000u, number = (leaf & 0x7FFFFFFFu) >> 8 | high;
  if (!__get_cpuid_count(number, leaf & 0xFFu, &words[0], &words[1], &words[2], &words[3])) return 0;
  return words[word];
}

/* Whether the system keeps registers of a kind for each thread: bits of XCR0. */
static int canao_system_keeps(unsigned state) {
  unsigned low, high;
  if (!state) return 1;
  if (!(canao_processor_word(0x100u, 2) >> 27 & 1)) return 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & state) == state;
}
#elif defined(__linux__) && (defined(__aarch64__) || defined(__arm__) || defined(__riscv))
#include <sys/auxv.h>

static unsigned canao_processor_word(unsigned leaf, int word) {
  (void)word;
  return (unsigned)getauxval(leaf);
}

static int canao_system_keeps(unsigned state) { return (void)state, 1; }
#else
static unsigned canao_processor_word(unsigned leaf, int word) { return (void)leaf, (void)word, 0; }

static int canao_system_keeps(unsigned state) { return (void)state, 1; }
#endif

const char *canao_model_lacks(void) {
  for (int i = 0; canao_features[i].name; ++i) {
    const canao_feature *feature = &canao_features[i];
    if (!(canao_model_needs >> i & 1)) continue;
    unsigned word = canao_processor_word(feature->leaf, feature->word);
    if (!(word >> feature->bit & 1) || !canao_system_keeps(feature->state)) return feature->name;
  }
  return NULL;
}
