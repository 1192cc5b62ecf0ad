"""How many tasks a kernel has, where sizes decide that which are known when it runs: as data.

C has a function for it. The host of an OpenCL program, in whatever language, has this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Count = int | tuple[Any, ...]
"""A number, `("size", n)` for the size of that number, or an operation of `OPERATIONS` and its two
operands. No operand is negative, and no divisor 0."""

SIZE = "size"

OPERATIONS: Mapping[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a // b,
    "min": min,
    "max": max,
}


def count_at(count: Count, sizes: Sequence[int]) -> int:
    """The number that a count is for some sizes."""
    if isinstance(count, int):
        return count
    name, *operands = count
    if name == SIZE:
        return sizes[operands[0]]
    left, right = operands
    return OPERATIONS[name](count_at(left, sizes), count_at(right, sizes))


def count_of(data: Any) -> Count:
    """From what JSON has: lists for tuples."""
    return tuple(map(count_of, data)) if isinstance(data, list | tuple) else data
