"""Windows of tokens over a text: each holds the whole question and a part of the text.

A model reads so many tokens at once. A longer text is read through windows that overlap, so that
an answer cut by the end of one is whole in the next.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from canao.answering.characters import check_text
from canao.errors import CanaoError, UnsupportedModelError

Numbers = npt.NDArray[np.int64]

_LEAST_SHARE = 4
"""The text gets at least one token in so many of a window: no question makes endless windows."""
_COLUMNS = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""Inputs of models, and what an encoding calls them."""


@dataclass(frozen=True)
class Windows:
    """One question about one text, as windows of tokens.

    The windows are those of `transformers`: overlapping, in order, each with the question first
    and special tokens around.
    """

    context: str
    offsets: Numbers
    """Of shape (tokens, 2): where each token of the text begins and ends, in characters."""
    rows: tuple[Mapping[str, Numbers], ...]
    """The inputs of the model for each window, of shape (tokens of the window,)."""
    starts: Numbers
    """Which token of the text is the first in each window."""
    counts: Numbers
    """How many tokens of the text each window has."""
    first: int
    """The place in every window of its first token of the text."""
    nulls: Numbers
    """The place in each window that stands for no answer: its classification token."""

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def longest(self) -> int:
        """Tokens in the longest window."""
        return max(len(row["input_ids"]) for row in self.rows)

    def positions(self, start: int, end: int) -> Numbers:
        """The first and the last token of a span of characters, of shape (windows, 2).

        What a model is trained on: places in a window, or twice `nulls` where the span is empty or
        a window does not have all of it.
        """
        inside = (self.offsets[:, 0] < end) & (self.offsets[:, 1] > start)
        tokens = np.flatnonzero(inside & (self.offsets[:, 0] < self.offsets[:, 1]))
        if not len(tokens):
            return np.stack([self.nulls, self.nulls], axis=1)
        span = tokens[[0, -1]] - self.starts[:, None]
        whole = (span[:, :1] >= 0) & (span[:, 1:] < self.counts[:, None])
        return np.where(whole, span + self.first, self.nulls[:, None])


@dataclass(frozen=True)
class Frame:
    """What stands around question and text in every window: tokens with their types."""

    first: tuple[tuple[int, int], ...]
    """Before the question."""
    between: tuple[tuple[int, int], ...]
    last: tuple[tuple[int, int], ...]
    types: tuple[int, int]
    """Of the tokens of the question, and of those of the text."""


class WindowMaker:
    """Cuts texts into windows of at most `window` tokens that share `stride` tokens of the text.

    Needs a fast tokenizer, of which it has a copy: threads may share a maker. Text is text: what
    looks like a special token ("[SEP]") is read letter by letter.
    """

    def __init__(self, tokenizer: Any, *, window: int = 384, stride: int = 128) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise UnsupportedModelError(
                f"{type(tokenizer).__name__} does not say where its tokens are in a text; give a "
                "fast tokenizer (tokenizer.json)"
            )
        if window < 8 or not 0 <= stride < window:
            raise CanaoError(
                f"window={window} with stride={stride} is no window; give 8 tokens or more, and "
                "fewer for the stride"
            )
        self.window, self.stride = window, stride
        self._backend = copy.deepcopy(backend)
        self._backend.no_truncation()
        self._backend.no_padding()
        self._backend.encode_special_tokens = True
        self._names = [name for name in _COLUMNS if name in tokenizer.model_input_names]
        self.null: int | None = tokenizer.cls_token_id
        self._pads = {
            "input_ids": tokenizer.pad_token_id or 0,
            "token_type_ids": getattr(tokenizer, "pad_token_type_id", 0),
        }

    def cut(self, question: str, context: str) -> Windows:
        """The windows of a question and a text.

        `CanaoError` where one of them has no token, or the question leaves the text no room.
        """
        check_text(question, "the question")
        check_text(context, "the text")
        encoding = self._backend.encode(question, context)
        parts = np.array([-1 if n is None else n for n in encoding.sequence_ids])
        (asked,), (places,) = np.nonzero(parts == 0), np.nonzero(parts == 1)
        if not len(asked):
            raise CanaoError("the question is empty; ask something")
        if not len(places):
            raise CanaoError("the text is empty; give one that may hold the answer")
        room = self.window - (len(parts) - len(places))
        if room * _LEAST_SHARE < self.window:
            raise CanaoError(
                f"the question is too long: it takes {len(asked)} tokens of a window of "
                f"{self.window}; ask a shorter one, or choose a larger window"
            )
        first, after = int(places[0]), int(places[-1]) + 1
        starts, counts = _spread(len(places), room, min(self.stride, room // 2))
        columns = {
            name: np.array(getattr(encoding, _COLUMNS[name]), np.int64) for name in self._names
        }
        rows = [_row(columns, first, after, s, n) for s, n in zip(starts, counts, strict=True)]
        return Windows(
            context,
            np.array(encoding.offsets, np.int64)[first:after],
            tuple(rows),
            starts,
            counts,
            first,
            np.array([self._place_of_null(row["input_ids"]) for row in rows]),
        )

    @property
    def tokenizer_json(self) -> str:
        """The tokenizer, as `tokenizer.json` has it."""
        return str(self._backend.to_str())

    def frame(self) -> Frame:
        """What the tokenizer puts around a question and a text.

        `UnsupportedModelError` for one that puts the text first, or twice.
        """
        encoding = self._backend.encode("a", "b")
        parts, rows = encoding.sequence_ids, list(zip(encoding.ids, encoding.type_ids, strict=True))
        if [part for part in parts if part is not None] != [0, 1]:
            raise UnsupportedModelError(
                "the tokenizer does not put a question before a text, once each; give one that does"
            )
        asked, text = parts.index(0), parts.index(1)
        return Frame(
            tuple(rows[:asked]),
            tuple(rows[asked + 1 : text]),
            tuple(rows[text + 1 :]),
            (rows[asked][1], rows[text][1]),
        )

    def batch(self, rows: Sequence[Mapping[str, Numbers]]) -> dict[str, Numbers]:
        """Windows, also those of several texts, padded to the longest: (windows, tokens) each."""
        length = max(len(row["input_ids"]) for row in rows)
        return {name: self._padded(name, rows, length) for name in self._names}

    def _padded(self, name: str, rows: Sequence[Mapping[str, Numbers]], length: int) -> Numbers:
        made = np.full((len(rows), length), self._pads.get(name, 0), np.int64)
        for number, row in enumerate(rows):
            made[number, : len(row[name])] = row[name]
        return made

    def _place_of_null(self, ids: Numbers) -> int:
        (found,) = np.nonzero(ids == self.null)
        return int(found[0]) if len(found) else 0


def _spread(tokens: int, room: int, stride: int) -> tuple[Numbers, Numbers]:
    """Where windows begin that show so many tokens, and how many each has."""
    last = max(0, tokens - room)
    step = room - stride
    starts = np.arange(0, last + step, step, dtype=np.int64)
    return starts, np.minimum(room, tokens - starts)


def _row(
    columns: Mapping[str, Numbers], first: int, after: int, start: int, count: int
) -> dict[str, Numbers]:
    begin = first + start
    return {
        name: np.concatenate([column[:first], column[begin : begin + count], column[after:]])
        for name, column in columns.items()
    }
