"""OpenCL C text of lowered modules, and what its host must do to run it."""
