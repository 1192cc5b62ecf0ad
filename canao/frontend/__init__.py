"""Models of PyTorch, exported programs and MLIR text, made into modules of the canao dialect.

Takes models and example inputs; gives a module, its weights and the way to call it. Weights leave
the IR here. Nothing here knows of targets.
"""
