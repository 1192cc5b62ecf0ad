"""Trained models judged in PyTorch and compiled, side by side; the paper's Table 2.

Takes directories of trained models; gives scores.
"""
