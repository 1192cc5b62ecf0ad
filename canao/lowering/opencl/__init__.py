"""OpenCL C text of lowered modules, and what its host must do to run it.

Takes a lowered module; gives kernels and launches. It reuses the printers of C.
"""
