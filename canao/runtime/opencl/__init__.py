"""OpenCL devices: finding them, building for them, running on them.

Nothing here imports pyopencl before a device is asked for.
"""
