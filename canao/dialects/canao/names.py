"""Names in the text of the IR: ASCII, whatever a model or a file is called."""

from __future__ import annotations


def ascii_name(name: str) -> str:
    """A name for the IR: letters beyond ASCII and backslashes as Python's escapes; injective."""
    if name.isascii() and "\\" not in name:
        return name
    return name.encode("unicode_escape").decode("ascii")


def shown_name(name: str) -> str:
    """What `ascii_name` was given: for messages."""
    return name.encode("ascii").decode("unicode_escape") if "\\" in name else name
