"""A private directory of things that are slow to make and safe to lose.

An entry is a directory of files with a manifest of their hashes. It appears in
one step (written elsewhere, then renamed) and is checked when read: an entry
that does not match its manifest counts as missing and is made again.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import platformdirs

from canao.errors import CacheError

_LAYOUT = "v1"
_MANIFEST = "manifest.json"


def digest(*parts: str | bytes) -> str:
    """The SHA-256 of `parts`, each with its length, as hexadecimal digits."""
    state = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        state.update(len(data).to_bytes(8, "little"))
        state.update(data)
    return state.hexdigest()


@dataclass(frozen=True)
class CacheEntry:
    """A sound entry: where its files are and what was noted with them."""

    path: Path
    metadata: Mapping[str, Any]

    def file(self, name: str) -> Path:
        """The path of one of its files."""
        return self.path / name

    def read_text(self, name: str) -> str:
        """The text of one of its files."""
        return self.file(name).read_text(encoding="utf-8")


class Cache:
    """A cache in `directory`, or in the user's cache directory."""

    def __init__(self, directory: str | os.PathLike[str] | None = None) -> None:
        given = Path(directory) if directory else platformdirs.user_cache_path("canao")
        # Another working directory later may not lead to another cache.
        self.directory = given.expanduser().absolute()
        self.root = self.directory / _LAYOUT
        with self._explained():
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_private()
            for name in ("entries", "locks", "new", "notes"):
                (self.root / name).mkdir(mode=0o700, exist_ok=True)

    def _check_private(self) -> None:
        """Refuse a directory in which others could plant code."""
        status = self.root.stat()
        if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise CacheError(
                f"the cache directory {self.root} can be written by other users, who could plant "
                "code in it; remove it or pass another cache_dir"
            )

    @contextmanager
    def _explained(self) -> Generator[None]:
        """Turn an error of the system into one that says what to do."""
        try:
            yield
        except OSError as error:
            raise self.error(error) from error

    def error(self, error: OSError) -> CacheError:
        """What `error` means for this cache and what to do about it."""
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return CacheError(
                f"no space is left for the cache directory {self.root}; "
                "free some, or pass a cache_dir on another disk"
            )
        reason = error.strerror or str(error)
        return CacheError(
            f"the cache directory {self.root} cannot be used ({reason}); "
            "make it writable, or pass another cache_dir"
        )

    @contextmanager
    def lock(self, key: str) -> Generator[None]:
        """Hold the lock of a key, against threads and other processes."""
        with self._explained():
            lock = filelock.FileLock(self.root / "locks" / f"{key}.lock", mode=0o600)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def try_lock(self, key: str) -> Generator[bool]:
        """Hold the lock of a key if it is free; says whether it was."""
        lock = filelock.FileLock(self.root / "locks" / f"{key}.lock", mode=0o600)
        with self._explained(), suppress(filelock.Timeout):
            lock.acquire(timeout=0)
        try:
            yield lock.is_locked
        finally:
            lock.release()

    @contextmanager
    def scratch(self) -> Generator[Path]:
        """An empty directory beside the entries, removed at the end."""
        with self._explained():
            path = Path(tempfile.mkdtemp(dir=self.root / "new"))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def find(self, key: str) -> CacheEntry | None:
        """The entry of a key; None if it is missing or damaged."""
        path = self.root / "entries" / key
        try:
            manifest: dict[str, Any] = json.loads((path / _MANIFEST).read_bytes())
            files: dict[str, str] = manifest["files"]
            sound = manifest["seal"] == _seal(files, manifest["metadata"]) and all(
                hash_of_file(path / name) == expected for name, expected in files.items()
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        if not sound:
            return None
        with suppress(OSError):  # a cache that cannot be written is of use all the same
            os.utime(path)  # the time of last use: what is pruned first
        return CacheEntry(path, manifest["metadata"])

    def store(
        self, key: str, files: Mapping[str, bytes | Path], metadata: Mapping[str, Any]
    ) -> CacheEntry:
        """Put an entry in place of what the key has now; hold its lock meanwhile.

        Files given by path are moved and must come from `scratch`. Names may lead into folders.
        """
        final = self.root / "entries" / key
        with self.scratch() as room, self._explained():
            new = room / "entry"
            new.mkdir(mode=0o700)
            for name, content in files.items():
                _place(new / name, content)
            hashes = {name: hash_of_file(new / name) for name in files}
            noted = json.loads(json.dumps(dict(metadata)))
            manifest = {"files": hashes, "metadata": noted, "seal": _seal(hashes, noted)}
            _place(new / _MANIFEST, json.dumps(manifest, indent=1).encode())
            if final.exists():
                final.rename(room / "damaged")
            new.rename(final)
        return CacheEntry(final, noted)

    def note(self, key: str) -> str | None:
        """A short text remembered under a key."""
        try:
            return (self.root / "notes" / key).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def set_note(self, key: str, text: str) -> None:
        """Remember a short text under a key."""
        with self.scratch() as room, self._explained():
            new = room / "note"
            _place(new, text.encode())
            new.replace(self.root / "notes" / key)


def _seal(files: Mapping[str, str], metadata: Mapping[str, Any]) -> str:
    """A hash over all that a manifest says."""
    return digest(json.dumps([dict(files), dict(metadata)], sort_keys=True))


def hash_of_file(path: Path) -> str:
    """The SHA-256 of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _place(path: Path, content: bytes | Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if isinstance(content, Path):
        content.rename(path)
        return
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
