"""Seconds of the stages of compiling."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

Progress = Callable[[str], None]


@dataclass
class Stopwatch:
    """Seconds of each stage; tells `progress` when one begins."""

    progress: Progress | None
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def announce(self, name: str) -> None:
        """Tell that a stage begins."""
        if self.progress:
            self.progress(name)

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Announce a stage, and add the time of the block to it."""
        self.announce(name)
        start = time.perf_counter()
        yield
        self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        """Add to the time of a stage, which runs again for another number of threads."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds
