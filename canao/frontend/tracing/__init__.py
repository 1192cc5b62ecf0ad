"""`torch.export` of models: what may be traced, decompositions, where operations come from.

Takes a module of PyTorch; gives an exported program that torch-mlir can read, or one clear error.
"""
