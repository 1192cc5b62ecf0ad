"""Conversions of elementwise arithmetic, functions, quotients and casts."""
