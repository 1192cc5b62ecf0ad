"""Queues without room."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def occupied(task: Any, room: int) -> Generator[None]:
    """Fills a queue with calls that wait."""
    gate = threading.Event()
    held = [task.queue.submit(gate.wait) for _ in range(room)]
    try:
        yield
    finally:
        gate.set()
        for future in held:
            future.result(60)
