"""The one way in which commands write text for people.

Names of models, paths, devices and messages may have brackets, which rich would read as
markup, or words between colons, which it would read as pictures. Nothing that canao prints
is markup: where text has a style, it is a `rich.text.Text`.
"""

from __future__ import annotations

from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """A console that prints strings, also those in tables, as they are."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)
