"""The cache keeps what is sound, and says what is wrong with its directory."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from canao.errors import CacheError
from canao.building.cache import Cache, digest

KEY = digest("a key")


def test_an_entry_is_found_again(cache: Cache) -> None:
    assert cache.find(KEY) is None
    stored = cache.store(KEY, {"text": b"hello"}, {"n": (1, 2)})
    found = cache.find(KEY)
    assert found is not None
    assert found.read_text("text") == "hello"
    assert dict(found.metadata) == dict(stored.metadata) == {"n": [1, 2]}


def test_everything_is_private(cache: Cache) -> None:
    cache.store(KEY, {"text": b"hello"}, {})
    for path in (cache.root, cache.root / "entries", cache.root / "entries" / KEY):
        assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("name", ["text", "manifest.json"])
@pytest.mark.parametrize("damage", ["changed", "cut", "removed"])
def test_a_damaged_entry_is_missing_and_can_be_replaced(
    cache: Cache, name: str, damage: str
) -> None:
    path = cache.store(KEY, {"text": b"hello"}, {"n": 1}).path / name
    content = path.read_bytes()
    changed = {"text": content.replace(b"l", b"1"), "manifest.json": content.replace(b"1", b"2")}
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(content[:-2] if damage == "cut" else changed[name])
    assert cache.find(KEY) is None
    cache.store(KEY, {"text": b"again"}, {})
    found = cache.find(KEY)
    assert found is not None
    assert found.read_text("text") == "again"


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CacheError, match=r"cannot be used \(Not a directory\).*cache_dir"):
        Cache(tmp_path / "file" / "cache")


def test_a_directory_that_others_can_write(tmp_path: Path) -> None:
    Cache(tmp_path).root.chmod(0o777)
    with pytest.raises(CacheError, match="other users"):
        Cache(tmp_path)


@pytest.mark.parametrize(
    ("code", "message"),
    [(errno.ENOSPC, "no space is left"), (errno.EROFS, "cannot be used .Read-only file system")],
)
def test_a_failed_write_keeps_what_was_there(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, code: int, message: str
) -> None:
    cache.store(KEY, {"text": b"hello"}, {})

    def fail(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CacheError, match=message) as caught:
        cache.store(KEY, {"text": b"new"}, {})
    assert str(cache.root) in str(caught.value)
    with pytest.raises(CacheError, match=message):
        cache.set_note(KEY, "note")
    found = cache.find(KEY)
    assert found is not None
    assert found.read_text("text") == "hello"
    assert not any((cache.root / "new").iterdir())


def test_notes(cache: Cache) -> None:
    assert cache.note(KEY) is None
    cache.set_note(KEY, "one")
    cache.set_note(KEY, "two")
    assert cache.note(KEY) == "two"


def test_the_lock_admits_one_at_a_time(cache: Cache) -> None:
    inside = 0
    most = 0

    def enter() -> None:
        nonlocal inside, most
        for _ in range(20):
            with Cache(cache.root.parent).lock(KEY):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_digest_keeps_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("ab") == digest(b"ab")
