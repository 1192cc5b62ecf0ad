"""Passes on tensors, one a file; `canao.tools.registry` lists them by name."""
