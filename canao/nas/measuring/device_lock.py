"""Who may use this machine: one measurement alone, or any number of trainings.

Both take the door first and keep it while they wait for the room, so that a
measurement that waits lets no new training pass. The locks belong to open
files: they end with the processes that hold them, however those end.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from canao.errors import CacheError

_DOOR, _ROOM = "device.door.lock", "device.room.lock"
"""One pair for all devices: trainings keep the cores busy that every measurement needs."""


@contextmanager
def measuring(directory: Path) -> Generator[int]:
    """Have the machine alone. Gives a descriptor: a child that inherits it keeps the lock too."""
    with _held(directory, fcntl.LOCK_EX) as descriptor:
        yield descriptor


@contextmanager
def training(directory: Path) -> Generator[int]:
    """Use the machine beside other trainings, while nothing is measured on it."""
    with _held(directory, fcntl.LOCK_SH) as descriptor:
        yield descriptor


@contextmanager
def _held(directory: Path, kind: int) -> Generator[int]:
    door = _open(directory / _DOOR)
    try:
        room = _open(directory / _ROOM)
        try:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(room, kind)
            fcntl.flock(door, fcntl.LOCK_UN)
            yield room
        finally:
            os.close(room)
    finally:
        os.close(door)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CacheError(
            f"the lock {path} cannot be opened ({error.strerror}); make its directory writable, "
            "or pass another cache_dir"
        ) from error
