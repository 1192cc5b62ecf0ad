"""Cutting examples in parts by a hash of their text: the same everywhere, in any order."""

from __future__ import annotations

import hashlib

from canao.nas.training.data.columns import Examples

_PARTS = 10


def part_of(key: str) -> int:
    """A number from 0 to 9 for a text, from its SHA-256."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) % _PARTS


def cut(examples: Examples, part: int = 0) -> tuple[Examples, Examples]:
    """The examples without those whose text falls into a part, and those; about 9 to 1.

    Examples with the same text stay together. Very few examples are cut in half
    if no text falls into the part.
    """
    inside = [n for n, key in enumerate(examples.keys()) if part_of(key) == part]
    if not 0 < len(inside) < len(examples):
        inside = list(range(len(examples) // 2))
    chosen = set(inside)
    outside = [n for n in range(len(examples)) if n not in chosen]
    return examples.take(outside), examples.take(inside)
