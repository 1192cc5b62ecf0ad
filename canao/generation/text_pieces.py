"""Text from tokens as they come, up to a place where it is to stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""How text ends whose last token is only a part of a character."""


class TextPieces:
    """Turns tokens into pieces of text that together are the text of all tokens.

    What may be the beginning of one of `stops` waits until that is known.
    """

    def __init__(self, tokenizer: Any, stops: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._stops = tuple(stop for stop in stops if stop)
        self._tokens: list[int] = []
        self._given = 0
        self.stopped = False
        """Whether one of the stops was met; it is in no piece."""

    def add(self, token: int) -> str:
        """What of the text is certain with one more token, and was not given yet."""
        self._tokens.append(token)
        text = self._text().rstrip(_UNFINISHED)
        met = [text.index(stop) for stop in self._stops if stop in text]
        if met:
            self.stopped = True
            return self._new(text, min(met))
        return self._new(text, len(text) - self._waiting(text))

    def rest(self) -> str:
        """What was waiting, when no token follows."""
        if self.stopped:
            return ""
        text = self._text()
        return self._new(text, len(text))

    def _text(self) -> str:
        return self._tokenizer.decode(self._tokens, skip_special_tokens=True)

    def _new(self, text: str, end: int) -> str:
        piece = text[self._given : end]
        self._given = max(self._given, end)
        return piece

    def _waiting(self, text: str) -> int:
        """How long an end of the text is that a stop begins with."""
        lengths = (
            n for stop in self._stops for n in range(1, len(stop)) if text.endswith(stop[:n])
        )
        return max(lengths, default=0)
