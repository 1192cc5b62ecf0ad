"""Tasks and their examples: GLUE, SQuAD-like files, one's own; splits, columns and tokens.

Takes files; gives examples. Nothing here knows models.
"""
