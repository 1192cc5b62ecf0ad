"""What the dialect means, in numpy: the oracle of the tests.

Takes a module and arrays; gives arrays. It also computes what depends on weights alone when a
model is loaded. Nothing here knows how code is made.
"""
