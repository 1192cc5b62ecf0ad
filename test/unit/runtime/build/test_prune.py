"""The cache cut down to a size: what goes, what stays, and others that use it meanwhile."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from canao.building.cache import Cache
from canao.building.prune import Usage, prune, prune_if_due, usage

HOUR, DAY = 3600.0, 86400.0


def put(cache: Cache, key: str, age: float, size: int = 1000) -> Path:
    """An entry that was last used `age` seconds ago."""
    path = cache.store(key, {"data": bytes(size)}, {}).path
    make_old(path, age)
    return path


def make_old(path: Path, age: float) -> None:
    used = time.time() - age
    os.utime(path, (used, used))


def keys(cache: Cache) -> set[str]:
    return {path.name for path in (cache.root / "entries").iterdir()}


def test_the_longest_unused_go_first(cache: Cache) -> None:
    for n in range(4):
        put(cache, f"key{n}", (n + 1) * HOUR)
    each = usage(cache).bytes // 4
    assert usage(cache) == Usage(4, 4 * each)
    assert prune(cache, max_bytes=2 * each) == Usage(2, 2 * each)
    assert keys(cache) == {"key0", "key1"}
    assert prune(cache, max_bytes=2 * each) == Usage(0, 0)


def test_finding_an_entry_makes_it_young(cache: Cache) -> None:
    put(cache, "old", 9 * DAY)
    put(cache, "used", 9 * DAY)
    assert cache.find("used")
    prune(cache, max_days=1)
    assert keys(cache) == {"used"}


def test_what_was_just_used_stays(cache: Cache) -> None:
    put(cache, "young", 60)
    put(cache, "old", HOUR)
    assert prune(cache, max_bytes=0, max_days=0).entries == 1
    assert keys(cache) == {"young"}


def test_an_entry_in_the_making_stays(cache: Cache) -> None:
    put(cache, "busy", HOUR)
    held, done = threading.Event(), threading.Event()

    def make() -> None:
        with cache.lock("busy"):
            held.set()
            done.wait(30)

    maker = threading.Thread(target=make)
    maker.start()
    assert held.wait(30)
    assert prune(cache, max_bytes=0).entries == 0
    done.set()
    maker.join()
    assert prune(cache, max_bytes=0).entries == 1


def test_leftovers_and_notes_go_by_age(cache: Cache) -> None:
    cache.set_note("note", "text")
    left = cache.root / "new" / "of-a-killed-process"
    left.mkdir()
    (left / "file").write_text("x")
    prune(cache)
    assert left.exists()
    assert cache.note("note") == "text"
    for path in (left, cache.root / "notes" / "note"):
        make_old(path, 99 * DAY)
    prune(cache)
    assert not left.exists()
    assert cache.note("note") is None


def test_pruning_by_itself_once_a_day(cache: Cache) -> None:
    put(cache, "a", 99 * DAY)
    prune_if_due(cache)
    assert keys(cache) == set()
    put(cache, "b", 99 * DAY)
    prune_if_due(cache)
    assert keys(cache) == {"b"}
    make_old(cache.root / "pruned", 2 * DAY)
    prune_if_due(cache)
    assert keys(cache) == set()


def test_makers_and_pruners_at_once(cache: Cache) -> None:
    """Every reader sees a whole entry or none."""
    failures: list[BaseException] = []
    end = time.monotonic() + 1.0

    def use(number: int) -> None:
        try:
            while time.monotonic() < end:
                key = f"key{number % 2}"
                with cache.lock(key):
                    entry = cache.find(key)
                    if entry is None:
                        put(cache, key, HOUR)
                        continue
                    assert len(entry.file("data").read_bytes()) == 1000
                    os.utime(entry.path, (0, 0))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=use, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while time.monotonic() < end:
        prune(cache, max_bytes=0)
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize(("count", "text"), [(1, "1 entry, 1.0 MiB"), (2, "2 entries, 1.0 MiB")])
def test_usage_in_words(count: int, text: str) -> None:
    assert str(Usage(count, 1 << 20)) == text
