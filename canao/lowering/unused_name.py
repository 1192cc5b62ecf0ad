"""Names beside others."""

from __future__ import annotations

from collections.abc import Collection
from itertools import count


def unused_name(name: str, used: Collection[str]) -> str:
    """A name that is not used yet: itself, or with the first number after it that is free."""
    if name not in used:
        return name
    return next(f"{name}_{n}" for n in count(2) if f"{name}_{n}" not in used)
