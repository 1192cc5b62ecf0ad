"""The one way in which commands write text for people.

Names of models, paths, devices and messages may have brackets, which rich would read as
markup, or words between colons, which it would read as pictures. Nothing that canao prints
is markup: where text has a style, it is a `rich.text.Text`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text


def console(*, stderr: bool = False) -> Console:
    """A console that prints strings, also those in tables, as they are."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


@contextmanager
def progress_display(quiet: bool) -> Generator[Callable[[str], None]]:
    """A function that shows the stage under way on standard error."""
    if quiet:
        yield lambda stage: None
        return
    # A status takes strings for markup whatever its console does.
    with console(stderr=True).status(Text("starting")) as status:
        yield lambda stage: status.update(Text(stage))
