"""What a candidate costs on the device: compiled and run in a child process, and remembered.

Takes an architecture; gives its latency. Nothing here decides.
"""
