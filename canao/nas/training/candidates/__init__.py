"""Candidates and teachers of a search, each trained in a child process.

Takes an architecture and a task; gives its accuracy at a given number of steps.
"""
