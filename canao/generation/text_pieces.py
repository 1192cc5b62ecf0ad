"""Text from tokens as they come, up to a place where it is to stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What parts of a character decode to."""
_PARTS = 3
"""Bytes that a character can have without being whole."""
_LOOKED_BACK = 16
"""Tokens that are decoded again with each new one at least; at most about twice as many."""
_CONTEXT = 2
"""Characters of theirs that were given already, at least."""


class TextPieces:
    """Turns tokens into pieces of text that together are the text of all tokens.

    What may be the beginning of one of `stops`, or of a character, waits until that is known.
    A token is decoded with some before it, on which its text depends: whether a space comes
    first, which bytes are a character. In vocabularies with a token for each byte, bytes that are
    no character take those before them along: what was given by then stays.
    """

    def __init__(self, tokenizer: Any, stops: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._stops = tuple(stop for stop in stops if stop)
        self._tokens: list[int] = []
        """The last ones: those whose text was not given, and some before."""
        self._text = ""
        """Of those tokens."""
        self._given = 0
        """How much of it was given."""
        self._unclear = 0
        """Tokens since the text ended with a whole character."""
        self.stopped = False
        """Whether one of the stops was met; it is in no piece."""

    def add(self, token: int) -> str:
        """What of the text is certain with one more token, and was not given yet."""
        tokens = [*self._tokens, token]
        text = self._decoded(tokens)
        if text == self._text and 0 < self._given == len(text):
            return ""  # a token without text, which that of no other depends on
        self._tokens, self._text = tokens, text
        piece = self._new(len(text) - self._unfinished())
        self._look_back_less()
        return piece

    def rest(self) -> str:
        """What was waiting, when no token follows."""
        return "" if self.stopped else self._new(len(self._text), last=True)

    def _decoded(self, tokens: list[int]) -> str:
        return self._tokenizer.decode(
            tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    def _unfinished(self) -> int:
        """How long an end of the text is that may become a character."""
        parts = len(self._text) - len(self._text.rstrip(_UNFINISHED))
        self._unclear = self._unclear + 1 if parts else 0
        return parts if self._unclear <= _PARTS else min(parts, _PARTS)

    def _new(self, end: int, *, last: bool = False) -> str:
        """What was not given up to a place, or to a stop before it."""
        fresh = self._text[self._given : end]
        met = [fresh.index(stop) for stop in self._stops if stop in fresh]
        if met:
            self.stopped = True
            fresh = fresh[: min(met)]
        elif not last:
            fresh = fresh[: len(fresh) - self._waiting(fresh)]
        self._given += len(fresh)
        return fresh

    def _waiting(self, text: str) -> int:
        """How long an end of the text is that a stop begins with."""
        lengths = (
            n for stop in self._stops for n in range(1, len(stop)) if text.endswith(stop[:n])
        )
        return max(lengths, default=0)

    def _look_back_less(self) -> None:
        """Forget the first tokens, if what was not given reads the same without them."""
        waiting = len(self._text) - self._given
        if len(self._tokens) < 2 * _LOOKED_BACK or waiting < 0:
            return
        tokens = self._tokens[-_LOOKED_BACK:]
        text = self._decoded(tokens)
        same = self._text[-(waiting + _CONTEXT) :]
        if len(text) < len(same) or not text.endswith(same):
            return
        self._tokens, self._text, self._given = tokens, text, len(text) - waiting
