"""What a compiled model is made of and how fast each part runs.

Takes programs and measurements; gives a report to print. Nothing here decides.
"""
