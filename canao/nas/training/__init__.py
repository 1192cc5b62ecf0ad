"""Tasks, fine-tuning, candidates that inherit from a teacher, evaluation."""
