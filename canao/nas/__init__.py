"""The search for architectures that are accurate and fast on the device at hand.

Takes a task and budgets; gives a model, trained and compiled, and a report. The compiler below
knows nothing of it.
"""
