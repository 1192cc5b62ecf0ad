"""A text that is being written: pieces as they come, and the times that they took."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from canao.generation.text_pieces import TextPieces

Ending = Literal["end", "length", "stop", "closed"]


@dataclass(frozen=True)
class Piece:
    """A part of a text, never empty."""

    text: str
    latency_ms: float
    """What its tokens took."""
    tokens: int
    """How many tokens it has: several where the first ones were parts of a character."""


@dataclass(frozen=True)
class WritingTimes:
    """What a text took: the time in which its tokens were computed, no waiting of its reader."""

    prompt_tokens: int
    tokens: int
    words: int
    first_token_ms: float | None
    """From the prompt to the first token; None before that."""
    token_ms: float | None
    """The median of the later tokens; None without any."""
    total_ms: float
    words_per_second: float
    ended: Ending | None
    """Why there is no more: the model ended the text, it has its length, it met a text to stop
    before, or it was closed. None while it goes on.
    """

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


class TextStream(Iterator[Piece]):
    """The pieces of a text, one after another; together they are the whole text.

    `close` ends it at once and lets its memory go, also from another thread, where it waits for
    the token under way. `times` may be read at any moment.
    """

    def __init__(
        self, tokens: Generator[int], pieces: TextPieces, *, prompt_tokens: int, most: int
    ) -> None:
        self._tokens: Generator[int] | None = tokens
        self._pieces = pieces
        self._prompt_tokens, self._most = prompt_tokens, most
        self._latencies: list[float] = []
        self._text = ""
        self._ended: Ending | None = None
        self._lock = threading.Lock()

    def __next__(self) -> Piece:
        with self._lock:
            before = len(self._latencies)
            text = self._next_text()
        if not text:
            raise StopIteration
        fresh = self._latencies[before:]
        return Piece(text, sum(fresh), len(fresh))

    def _next_text(self) -> str:
        """The next piece; empty where there is none."""
        while self._tokens is not None:
            begin = time.perf_counter()
            token = next(self._tokens, None)
            text = self._pieces.rest() if token is None else self._pieces.add(token)
            if token is None:
                self._end("length" if len(self._latencies) >= self._most else "end")
            else:
                self._latencies.append(1000 * (time.perf_counter() - begin))
            if self._pieces.stopped:
                self._end("stop")
            if text:
                self._text += text
                return text
        return ""

    def _end(self, ending: Ending) -> None:
        if self._tokens is not None:
            self._tokens.close()
            self._tokens, self._ended = None, ending

    def close(self) -> None:
        """End the text, if it has not ended by itself."""
        with self._lock:
            self._end("closed")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def text(self) -> str:
        """What was written so far."""
        return self._text

    @property
    def times(self) -> WritingTimes:
        """The times of the tokens so far."""
        first, later = next(iter(self._latencies), None), self._latencies[1:]
        total, words = sum(self._latencies), len(self._text.split())
        return WritingTimes(
            prompt_tokens=self._prompt_tokens,
            tokens=len(self._latencies),
            words=words,
            first_token_ms=first,
            token_ms=statistics.median(later) if later else None,
            total_ms=total,
            words_per_second=1000 * words / total if total else 0.0,
            ended=self._ended,
        )
