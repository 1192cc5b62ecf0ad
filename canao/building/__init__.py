"""From text to something that can be called: compilers, the cache, the first run in a child.

Takes a `Program`; gives a library or binary that was tried. Nothing here chooses or measures.
"""
