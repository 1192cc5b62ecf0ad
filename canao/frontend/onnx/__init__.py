"""Models in ONNX files: read, their dimensions decided, imported by torch-mlir.

What comes out is the torch dialect that PyTorch models have too; from there on there is one road.
Nothing but this folder knows of ONNX.
"""
