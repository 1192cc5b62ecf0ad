"""Whether something may still be called: closing waits for calls that run."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager

from canao.errors import ExecutionError


class InUse:
    """Counts calls that run; none begins after `close`, which waits for those that do."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._calls = 0
        self._closed = False
        self._process = os.getpid()

    @contextmanager
    def call(self) -> Generator[None]:
        """Around one call; raises `ExecutionError` after `close`."""
        self._begin()
        try:
            yield
        finally:
            self._end()

    def check_open(self) -> None:
        """Raise `ExecutionError` after `close`."""
        if self._closed:
            raise ExecutionError("the model was closed; load or compile it again")

    def close(self) -> bool:
        """Refuse further calls and wait for those that run; False if it was closed before."""
        if self._process != os.getpid():
            self._renew()
        with self._changed:
            if self._closed:
                return False
            self._closed = True
            self._changed.wait_for(lambda: not self._calls)
        return True

    def _begin(self) -> None:
        if self._process != os.getpid():
            self._renew()
        with self._changed:
            self.check_open()
            self._calls += 1

    def _end(self) -> None:
        with self._changed:
            self._calls -= 1
            if self._closed and not self._calls:
                self._changed.notify_all()

    def _renew(self) -> None:
        """In a forked process only the thread that forked goes on: no call runs here."""
        self._changed = threading.Condition(threading.Lock())
        self._calls = 0
        self._process = os.getpid()
