"""Prints loop nests on buffers as C: units, functions, control flow and the main program.

Takes a lowered module; gives text. It knows operations of xDSL, never layers or schedules, but for
the comments of kernels.
"""
