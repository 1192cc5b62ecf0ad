"""Where trials are stored and what they tell: attributes, finalists, halving, progress.

Takes and gives trials of Optuna. Nothing here trains or measures.
"""
