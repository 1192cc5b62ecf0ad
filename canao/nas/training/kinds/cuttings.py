"""What a model learns to find answers from: a cutting of the text, drawn anew in each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch.utils.data import Dataset

from canao.answering.windows import WindowMaker, Windows
from canao.errors import InputFileError
from canao.nas.training.data.questions import Questions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.int64]

_WHOLE = 1 << 24
"""Tokens of a window that has all of any text."""
_LEAST_SHARE = 4
"""The text gets at least one token in so many."""
_ANYWHERE = 0.1
"""How often a cutting of a longer text is taken without regard to the answer: where it has none,
the model learns to say so."""


@dataclass(frozen=True)
class _Asked:
    """A question with its whole text, as tokens."""

    row: dict[str, Numbers]
    first: int
    """The place of the first token of the text."""
    count: int
    """Tokens of the text."""
    null: int
    """The place that stands for no answer."""
    answers: Numbers
    """Of shape (answers, 2): the first and the last token of each, counted in the text."""

    @property
    def around(self) -> int:
        """Tokens that are not of the text."""
        return len(self.row["input_ids"]) - self.count


@dataclass(frozen=True)
class Cuttings(Dataset[dict[str, Any]]):
    """Row n is question n modulo their number; each further round is another draw.

    A draw decides which annotator's answer is learnt and, of a text that is longer than a window,
    which part is shown. It follows from the seed and the number of the row alone.
    """

    asked: tuple[_Asked, ...]
    window: int
    """Most tokens of a row."""
    seed: int
    fresh: bool = True

    @classmethod
    def of(cls, examples: Questions, tokenizer: Any, window: int, seed: int) -> Cuttings:
        """The questions as tokens; `InputFileError` for one that leaves its text no room."""
        window = min(window, tokenizer.model_max_length)
        maker = WindowMaker(tokenizer, window=_WHOLE)
        asked: list[_Asked] = []
        for one in examples.questions:
            windows = maker.cut(one.question, one.context)
            found = _asked(windows, [(gold.start, gold.end) for gold in one.golds])
            if (window - found.around) * _LEAST_SHARE < window:
                raise InputFileError(
                    f"question {one.id} takes {found.around} of a window of {window} tokens; "
                    "shorten it, or remove it"
                )
            asked.append(found)
        return cls(tuple(asked), window, seed)

    def __len__(self) -> int:
        return len(self.asked)

    @property
    def lengths(self) -> list[int]:
        """The number of tokens of a row of each question."""
        return [min(self.window, one.around + one.count) for one in self.asked]

    def __getitem__(self, index: int) -> dict[str, Any]:
        one = self.asked[index % len(self.asked)]
        random = np.random.default_rng((self.seed, index))
        room = min(one.count, self.window - one.around)
        start = self._start(one, room, random)
        inside = (one.answers[:, 0] >= start) & (one.answers[:, 1] < start + room)
        shown = one.answers[inside] - start + one.first
        place = random.choice(shown) if len(shown) else (one.null, one.null)
        begin, after = one.first + start, one.first + one.count
        row = {
            name: np.concatenate([x[: one.first], x[begin : begin + room], x[after:]]).tolist()
            for name, x in one.row.items()
        }
        return {**row, "start_positions": int(place[0]), "end_positions": int(place[1])}

    def _start(self, one: _Asked, room: int, random: np.random.Generator) -> int:
        """The first token of the text that is shown."""
        last = one.count - room
        if not last:
            return 0
        if not len(one.answers) or random.random() < _ANYWHERE:
            return int(random.integers(0, last + 1))
        begin, end = random.choice(one.answers).tolist()
        low, high = max(0, end - room + 1), min(begin, last)
        # Of an answer that is longer than the room the beginning is shown.
        return int(random.integers(low, high + 1)) if low <= high else high


def _asked(windows: Windows, spans: list[tuple[int, int]]) -> _Asked:
    null = int(windows.nulls[0])
    places = [windows.positions(*span)[0] for span in spans]
    found = [place - windows.first for place in places if place[0] != null]
    answers = np.array(found, np.int64).reshape(-1, 2)
    count = int(windows.counts[0])
    return _Asked(dict(windows.rows[0]), windows.first, count, null, answers)
