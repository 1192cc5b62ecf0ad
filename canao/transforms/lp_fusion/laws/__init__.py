"""The laws of LP-Fusion: the same mathematics with fewer computations.

Takes the operations of a function; gives equal ones that cost less. `table.py` lists the laws with
their conditions and proofs. Nothing here groups operations into layers.
"""
