/* The file `name` in the directory of `program`. */
static char *in_directory_of(const char *program, const char *name) {
  const char *slash = strrchr(program, '/');
  size_t length = slash ? (size_t)(slash - program) + 1 : 0;
  char *path = (char *)malloc(length + strlen(name) + 1);
  if (!path) return NULL;
  memcpy(path, program, length);
  strcpy(path + length, name);
  return path;
}

/* The file `name` beside the program: where the system says the program is, or else where its first
 * argument says. Null if there is no memory. */
static char *find_beside(const char *program, const char *name) {
#ifdef __linux__
  char self[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length > 0) {
    self[length] = 0;
    char *path = in_directory_of(self, name);
    if (path && !access(path, R_OK)) return path;
    free(path);
  }
#endif
  return in_directory_of(program ? program : "", name);
}
