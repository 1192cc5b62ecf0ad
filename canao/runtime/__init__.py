"""Loading and calling compiled code: memory, weights, and modules that close safely.

Takes libraries and arrays; gives results. Nothing here builds or measures.
"""
