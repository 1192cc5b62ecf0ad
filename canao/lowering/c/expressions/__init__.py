"""Printers of operations that compute a value, and the helper functions that they call.

Takes operations; gives expressions and statements of C.
"""
