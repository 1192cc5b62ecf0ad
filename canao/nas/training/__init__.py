"""Accuracy: tasks, fine-tuning, distillation, evaluation, and candidates judged by them.

Takes data from a path its user gives and an architecture; gives trained weights and scores.
"""
