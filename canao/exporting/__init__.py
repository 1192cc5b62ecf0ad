"""Writes a compiled model as a program that needs nothing of canao.

Takes a `Program` and weights; gives a directory with C or OpenCL, and a Makefile.
"""
