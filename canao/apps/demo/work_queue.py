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


class StoppingError(Exception):
    """A queue takes no calls any more, and does not wait for those that it has."""

    def __init__(self) -> None:
        super().__init__("the server is stopping; start canao demo again")


class WorkQueue:
    """Runs at most `workers` calls at once, lets `waiting` others wait, and refuses more."""

    def __init__(self, name: str, *, workers: int, waiting: int, retry_after: int = 1) -> None:
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=f"canao {name}")
        self._room = workers + waiting
        self._retry_after = retry_after
        self._lock = threading.Lock()
        self._held = 0
        self._stop = asyncio.Event()

    @property
    def stopping(self) -> bool:
        """Whether calls should end early: nobody waits for them. Any thread may look."""
        return self._stop.is_set()

    @property
    def held(self) -> int:
        """Calls that run or wait."""
        return self._held

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Put a call in line. Its place is free again when it has ended or was cancelled.

        `BusyError` if there is no room, `StoppingError` after `stop`.
        """
        if self.stopping:
            raise StoppingError
        with self._lock:
            if self._held == self._room:
                raise BusyError(self._retry_after)
            self._held += 1
        future = self._threads.submit(call)
        future.add_done_callback(self._leave)
        return future

    async def run(self, call: Callable[[], T]) -> T:
        """What a call gives. Whoever stops waiting for it takes it out of the line.

        `StoppingError` if the queue is stopped before it has ended.
        """
        work = asyncio.wrap_future(self.submit(call))
        stop = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
            # Stopping cancels what had not begun.
            if not work.done() or work.cancelled():
                raise StoppingError
            return work.result()
        finally:
            work.cancel()
            stop.cancel()

    def stop(self) -> None:
        """Drop what waits, and all waiting for what runs. From the event loop's thread alone."""
        self._stop.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Drop what waits, and return when what runs has ended."""
        self._threads.shutdown(cancel_futures=True)

    def _leave(self, _: Future[T]) -> None:
        with self._lock:
            self._held -= 1
