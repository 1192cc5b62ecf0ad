"""Loops that the work-items of a group share: their buffers, and products fed through them.

Takes and gives what `emit` does, for devices that run work-groups.
"""
