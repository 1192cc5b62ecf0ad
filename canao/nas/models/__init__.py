"""Encoders of any architecture, and smaller ones made of a teacher's weights.

Takes an architecture, or a teacher; gives modules of PyTorch.
"""
