"""Keeping the cache small: what was not used for longest goes first.

Any number of processes may use the cache meanwhile. An entry leaves it in one step
(renamed, then removed) and under its lock; whoever looks for it afterwards makes it
again. What was used in the last minutes stays whatever the limits are, because a
process may be about to load it.
"""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from canao.building.cache import Cache

MAX_BYTES = 4 << 30
"""Size of all entries to which the cache is cut down by itself."""
MAX_DAYS = 90.0
"""Days without use after which an entry goes by itself."""
_GRACE_SECONDS = 600.0
"""What was used within this time stays."""
_ABANDONED_SECONDS = 86400.0
"""Age of unfinished entries that a killed process left behind."""
_BETWEEN_SECONDS = 86400.0
"""Time between two looks at the size."""
_LOCK = "prune"


@dataclass(frozen=True)
class Usage:
    """Entries and their size on disk."""

    entries: int
    bytes: int

    def __str__(self) -> str:
        return f"{self.entries} {'entry' if self.entries == 1 else 'entries'}, {_mib(self.bytes)}"


@dataclass(frozen=True)
class _Item:
    path: Path
    bytes: int
    used: float


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"


def usage(cache: Cache) -> Usage:
    """How much the cache holds, the tuning database left aside."""
    items = _items(cache.root / "entries")
    return Usage(len(items), sum(item.bytes for item in items))


def prune(cache: Cache, *, max_bytes: int = MAX_BYTES, max_days: float = MAX_DAYS) -> Usage:
    """Remove entries unused for `max_days`, then the longest unused until `max_bytes` are left.

    Returns what was removed. Tuning records stay.
    """
    with cache.lock(_LOCK):
        return _prune(cache, max_bytes, max_days)


def prune_if_due(cache: Cache) -> None:
    """Cut the cache down to the usual limits, once a day at most; never an error."""
    marker = cache.root / "pruned"
    with suppress(OSError):
        if marker.exists() and time.time() - marker.stat().st_mtime < _BETWEEN_SECONDS:
            return
        marker.touch(mode=0o600)
        prune(cache)


def _prune(cache: Cache, max_bytes: int, max_days: float) -> Usage:
    now = time.time()
    items = sorted(_items(cache.root / "entries"), key=lambda item: item.used)
    total = sum(item.bytes for item in items)
    removed = freed = 0
    for item in items:
        if now - item.used < _GRACE_SECONDS:
            break
        if total <= max_bytes and now - item.used < max_days * 86400:
            break
        if _remove(cache, item.path):
            removed, freed, total = removed + 1, freed + item.bytes, total - item.bytes
    _sweep(cache.root / "notes", now - max(max_days * 86400, _GRACE_SECONDS))
    _sweep(cache.root / "new", now - _ABANDONED_SECONDS)
    return Usage(removed, freed)


def _items(directory: Path) -> list[_Item]:
    items: list[_Item] = []
    for path in directory.iterdir():
        with suppress(OSError):  # another process removed or replaced it
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            items.append(_Item(path, size, path.stat().st_mtime))
    return items


def _remove(cache: Cache, path: Path) -> bool:
    """Take one entry out, unless somebody makes it right now."""
    with cache.try_lock(path.name) as held, cache.scratch() as room:
        if held:
            with suppress(OSError):
                path.rename(room / "removed")
                return True
    return False


def _sweep(directory: Path, before: float) -> None:
    """Remove what is older than a time."""
    for path in directory.iterdir():
        with suppress(OSError):
            if path.stat().st_mtime >= before:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
