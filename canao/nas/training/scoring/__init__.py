"""Official metrics.

Takes predictions and labels; gives scores.
"""
