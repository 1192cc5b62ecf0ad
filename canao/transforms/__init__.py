"""Passes on tensors, one a file; `canao.tools.registry` lists them by name.

Takes a module; gives one that means the same. No pass knows loops, processors or text.
"""
