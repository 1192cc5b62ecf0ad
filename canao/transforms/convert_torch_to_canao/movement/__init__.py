"""Conversions that move or make elements and compute nothing."""
