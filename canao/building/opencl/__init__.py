"""Building OpenCL programs: binaries in the cache, tried in a child process.

Takes kernels and a device; gives a binary.
"""
