"""Objects that are set aside while models are compiled, and come back."""

from __future__ import annotations

import gc
import threading
from collections.abc import Generator
from contextlib import suppress

import pytest

from canao.compiling.collector import old_objects_set_aside


@pytest.fixture(autouse=True)
def nothing_set_aside() -> Generator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


def test_they_come_back() -> None:
    with suppress(KeyError), old_objects_set_aside():
        assert gc.get_freeze_count() > 0
        with old_objects_set_aside():
            pass
        assert gc.get_freeze_count() > 0
        raise KeyError
    assert gc.get_freeze_count() == 0


def test_what_others_set_aside_stays() -> None:
    gc.freeze()
    before = gc.get_freeze_count()
    with old_objects_set_aside():
        pass
    # Those that nobody refers to any more are freed nevertheless.
    assert gc.get_freeze_count() > before // 2


def test_threads_end_in_any_order() -> None:
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with old_objects_set_aside():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    assert inside.wait(10)
    with old_objects_set_aside():
        leave.set()
        thread.join(10)
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
