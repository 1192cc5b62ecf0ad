"""Kinds of tasks: what is learnt, what a model has for it, how its answers are read and judged.

Takes examples and a tokenizer; gives rows for a model, answers of its outputs, and scores.
"""
