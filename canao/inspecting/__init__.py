"""A compiled model for people to look at: one page of HTML, graphs for Model Explorer.

Takes compiled models; gives files. Nothing here decides.
"""
