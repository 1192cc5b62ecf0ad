"""Times and rates: latency, peaks of the machine, whether it is quiet, instructions of loops.

Takes something to call, or nothing; gives numbers. Nothing here decides by them.
"""
