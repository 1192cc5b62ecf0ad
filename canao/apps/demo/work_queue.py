"""Work off the event loop: a few threads, a bounded number that wait, and no more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class BusyError(Exception):
    """A queue is full; `retry_after` is when to ask again, in seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"too many requests at once; ask again in {retry_after} s")
        self.retry_after = retry_after


class WorkQueue:
    """Runs at most `workers` calls at once, lets `waiting` others wait, and refuses more."""

    def __init__(self, name: str, *, workers: int, waiting: int, retry_after: int = 1) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=f"canao {name}")
        self._room = workers + waiting
        self._retry_after = retry_after
        self._lock = threading.Lock()
        self._held = 0

    @property
    def held(self) -> int:
        """Calls that run or wait."""
        return self._held

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Put a call in line. Its place is free again when it has ended or was cancelled.

        `BusyError` if there is no room.
        """
        with self._lock:
            if self._held == self._room:
                raise BusyError(self._retry_after)
            self._held += 1
        future = self._threads.submit(call)
        future.add_done_callback(self._leave)
        return future

    async def run(self, call: Callable[[], T]) -> T:
        """What a call gives. Whoever stops waiting for it takes it out of the line."""
        return await asyncio.wrap_future(self.submit(call))

    def close(self) -> None:
        """Drop what waits, and return when what runs has ended."""
        self._threads.shutdown(cancel_futures=True)

    def _leave(self, _: Future[T]) -> None:
        with self._lock:
            self._held -= 1
