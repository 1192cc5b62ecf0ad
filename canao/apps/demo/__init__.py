"""The demo: a server on loopback and one page for question answering and text generation.

Takes an answerer and a generator; nothing here knows how they compute.
"""
