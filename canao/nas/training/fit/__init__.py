"""Training that can be stopped and goes on: fine-tuning, distillation, checkpoints.

Takes a model and encoded examples; gives weights in a directory.
"""
