"""Progress that people can read: one line that replaces itself, or a plain line now and then.

On a terminal one live line shows what is under way, for how long, and, where steps are counted,
a bar of those that were taken. Elsewhere, in a file or a
pipe, a plain line says what begins, and another one each nine seconds what is under way, so that
it is neither silent nor long. Either ends with one line that stays. No text is read as markup.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.text import Text

from canao.cli.console import console


class Say(Protocol):
    """Called with the stage under way, and where it has steps, how many were taken of how many.

    From any thread.
    """

    def __call__(self, stage: str, part: int = 0, whole: int = 0) -> None: ...


INTERVAL = 9.0
"""Seconds between plain lines: on a busy machine, too, no silence is longer than ten."""
_FRAMES = "-\\|/"
_FRAMES_A_SECOND = 4
_ELLIPSIS = "..."
_LONGEST_SECONDS = 120
_BAR = 20
"""Columns of a bar, which is left out where the text beside it had not twice as many."""


@dataclass
class _Shown:
    """What is under way, and since when."""

    title: str
    stage: str = ""
    part: int = 0
    whole: int = 0
    """Steps taken and steps in all; none are counted if this is 0."""
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def text(self) -> str:
        """The title, the stage and its steps."""
        return self._joined(self.title, self.stage)

    @property
    def under_way(self) -> str:
        """The stage, or the title where none was told, and its steps."""
        return self._joined(self.stage or self.title)

    def _joined(self, *texts: str) -> str:
        steps = f"{self.part} of {self.whole}" if self.whole else ""
        return ": ".join(text for text in (*texts, steps) if text)

    @property
    def bar(self) -> str:
        """The share of the steps that was taken; empty where none are counted."""
        if not self.whole:
            return ""
        filled = min(_BAR, _BAR * self.part // self.whole)
        return f"[{'#' * filled}{'.' * (_BAR - filled)}]"

    def say(self, stage: str, part: int = 0, whole: int = 0) -> None:
        """Take the newest stage, as one line."""
        self.stage, self.part, self.whole = " ".join(stage.split()), part, whole

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        frame = _FRAMES[int(self.seconds * _FRAMES_A_SECOND) % len(_FRAMES)]
        time_spent = f" {spent(self.seconds)}"
        room = options.max_width - len(frame) - 1 - len(time_spent)
        bar = f" {self.bar}" if self.bar and room - len(self.bar) > 2 * _BAR else ""
        yield Text(f"{frame} {fitted(self.text, room - len(bar))}{bar}{time_spent}", no_wrap=True)


@contextmanager
def shown_progress(
    title: str,
    done: str,
    *,
    on: Console | None = None,
    quiet: bool = False,
    interval: float = INTERVAL,
    picture: Callable[[], RenderableType] | None = None,
) -> Generator[Say]:
    """A function that shows the stage under way on a console, standard error's if left out.

    `title` says what is done ("compiling it"), `done` what was when all went well ("compiled
    it"). `picture` is shown on a terminal instead of the line. With `quiet` nothing is shown.
    """
    if quiet:
        yield lambda stage, part=0, whole=0: None
        return
    where = on or console(stderr=True)
    shown = _Shown(title)
    if where.is_interactive:
        shape = picture or (lambda: shown)
        with Live(
            get_renderable=shape,
            console=where,
            refresh_per_second=_FRAMES_A_SECOND,
            transient=True,
        ):
            yield shown.say
    else:
        with _plain_lines(where, shown, interval):
            yield shown.say
    _print(where, f"{done} in {spent(shown.seconds)}")


@contextmanager
def _plain_lines(where: Console, shown: _Shown, interval: float) -> Generator[None]:
    """A line now, then one each interval, by a thread: what is under way may say nothing."""
    _print(where, f"{shown.title} ...")
    ended = threading.Event()

    def tell() -> None:
        while not ended.wait(interval):
            _print(where, f"  {spent(shown.seconds)}: {shown.under_way}")

    thread = threading.Thread(target=tell, name="canao progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _print(where: Console, text: str) -> None:
    where.print(Text(text), soft_wrap=True)


def fitted(text: str, room: int) -> str:
    """A text that takes at most so many columns, with an ellipsis where it was cut."""
    if cell_len(text) <= room:
        return text
    return set_cell_size(text, max(0, room - len(_ELLIPSIS))).rstrip() + _ELLIPSIS[: max(0, room)]


def spent(seconds: float) -> str:
    """A time for people."""
    whole = round(seconds)
    if whole < _LONGEST_SECONDS:
        return f"{whole} s"
    return f"{whole // 60} min {whole % 60} s"
