"""From a model to a compiled one: import, lower, build, try, choose the number of threads."""
