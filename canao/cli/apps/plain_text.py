"""Text of files and models that is printed: no byte of it commands the terminal."""

from __future__ import annotations

import unicodedata

_SHOWN = "\N{REPLACEMENT CHARACTER}"
_KEPT = "\n\t"


def without_controls(text: str) -> str:
    """The text with control characters, other than line ends and tabs, replaced."""
    return "".join(
        _SHOWN if unicodedata.category(character) == "Cc" and character not in _KEPT else character
        for character in text
    )


def one_line(text: str) -> str:
    """The text in one line, with single spaces."""
    return without_controls(" ".join(text.split()))
