"""The laws of LP-Fusion: the same mathematics with fewer computations."""
