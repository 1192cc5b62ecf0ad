"""Predictions and official metrics.

Takes a model and encoded examples; gives logits and scores.
"""
