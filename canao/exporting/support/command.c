static int fail(const char *what, const char *name, const char *why) {
  fprintf(stderr, "%s %s: %s\n", what, name, why);
  return FAILED;
}

/* Milliseconds. */
static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec * 1e-6;
}

/* A whole number from `low` to `high`; 0 if the text is none. */
static int parse(const char *text, long long low, long long high, long long *value) {
  char *end;
  errno = 0;
  *value = strtoll(text, &end, 10);
  return !errno && !*end && end != text && *value >= low && *value <= high;
}

static int parse_long(const char *text, long low, long high, long *number) {
  long long value;
  if (!parse(text, low, high, &value)) return 0;
  *number = (long)value;
  return 1;
}
