"""OpenCL programs on their device: sessions, buffers, launches and what they took.

Takes binaries and arrays; gives results and times of kernels.
"""
