"""How printers say that they cannot print something."""

from __future__ import annotations


class Unprintable(Exception):
    """Something has no form in C; the driver adds which op in which function."""
