"""Conversions of reductions, scans, windows and what is normalised by them."""
