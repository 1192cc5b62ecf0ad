"""Command line tools for people who work on the compiler: `canao-opt`, and its list of passes.

Takes IR as text and names of passes; gives IR or code as text. Nothing imports from here.
"""
