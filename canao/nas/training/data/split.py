"""Cutting examples in parts by a hash of their text: the same everywhere, in any order."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Protocol, Self, TypeVar

_PARTS = 10


def part_of(key: str) -> int:
    """A number from 0 to 9 for a text, from its SHA-256."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4]) % _PARTS


class Cuttable(Protocol):
    """Examples of any kind."""

    def __len__(self) -> int: ...

    def __add__(self, other: Self, /) -> Self: ...

    def take(self, rows: Sequence[int]) -> Self:
        """The examples of these numbers."""
        ...

    def keys(self) -> Iterator[str]:
        """What tells an example from others; those with the same stay together."""
        ...


_Some = TypeVar("_Some", bound=Cuttable)


def cut(examples: _Some, part: int = 0) -> tuple[_Some, _Some]:
    """The examples without those whose key falls into a part, and those; about 9 to 1.

    Very few examples are cut in half if no key falls into the part.
    """
    inside = [n for n, key in enumerate(examples.keys()) if part_of(key) == part]
    if not 0 < len(inside) < len(examples):
        inside = list(range(len(examples) // 2))
    chosen = set(inside)
    outside = [n for n in range(len(examples)) if n not in chosen]
    return examples.take(outside), examples.take(inside)
