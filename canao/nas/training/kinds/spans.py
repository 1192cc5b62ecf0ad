"""Questions whose answer is a span of a text, or that the text does not answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import Dataset

from canao.answering.scores import score_answers
from canao.answering.spans import choose_spans
from canao.answering.windows import WindowMaker, Windows
from canao.nas.models.heads import SPANS, Head
from canao.nas.models.kept_blocks import without_labels
from canao.nas.training.data.encode import Rows
from canao.nas.training.data.questions import Questions
from canao.nas.training.data.spec import TaskSpec
from canao.nas.training.kinds.cuttings import Cuttings
from canao.nas.training.kinds.divergence import logits_loss

if TYPE_CHECKING:
    from torch import Tensor

    from canao.nas.models.kept_blocks import Batch
    from canao.nas.training.kinds.kind import Output

    Place = tuple[int, int] | None

_OVERLAP = 3
"""Windows share a third of their tokens: as long an answer is whole in one of them."""


@dataclass(frozen=True)
class WindowRows(Dataset[dict[str, Any]]):
    """The windows of all questions, one after the other."""

    windows: tuple[Windows, ...]
    unanswerable: bool
    fresh: bool = False

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        return [
            {name: column.tolist() for name, column in row.items()}
            for one in self.windows
            for row in one.rows
        ]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self._rows[index]

    @property
    def lengths(self) -> list[int]:
        """The number of tokens of each window."""
        return [len(row["input_ids"]) for row in self._rows]


@dataclass(frozen=True)
class Spans:
    """See `Kind`. Outputs have shape (2, tokens): logits of the first and the last token."""

    head: Head = SPANS
    exact: bool = True

    def settings(self, spec: TaskSpec) -> dict[str, Any]:
        """Two outputs a token."""
        del spec
        return {"num_labels": 2}

    def told(self, spec: TaskSpec) -> str:
        """The two logits of a token."""
        del spec
        return "where an answer begins and where it ends"

    def training_rows(self, examples: Questions, tokenizer: Any, spec: TaskSpec, seed: int) -> Rows:
        """A part of the text about one of the answers, another one in each epoch."""
        return Cuttings.of(examples, tokenizer, spec.training_length or spec.max_length, seed)

    def rows(self, examples: Questions, tokenizer: Any, spec: TaskSpec) -> WindowRows:
        """The windows of each question."""
        window = min(spec.max_length, tokenizer.model_max_length)
        maker = WindowMaker(tokenizer, window=window, stride=window // _OVERLAP)
        cut = tuple(maker.cut(one.question, one.context) for one in examples.questions)
        return WindowRows(cut, examples.unanswerable)

    def outputs(self, given: Any, lengths: Sequence[int]) -> list[Output]:
        """The logits of each row, without its padding."""
        both = [x.detach().float().cpu() for x in (given.start_logits, given.end_logits)]
        stacked = torch.stack(both, dim=1).numpy().astype(np.float64)
        return [stacked[row, :, :length] for row, length in enumerate(lengths)]

    def compared(self, model: Any, batch: Batch) -> Tensor:
        """Both logits of real tokens."""
        given = model(**without_labels(batch))
        both = torch.stack([given.start_logits, given.end_logits], dim=1)
        return both * batch["attention_mask"].unsqueeze(1)

    def divergence(self, mine: Any, theirs: Any, mask: Tensor, temperature: float) -> Tensor:
        """The mean of those of the first and of the last token, among the real ones."""
        parts = [
            logits_loss(_masked(a, mask), _masked(b, mask), temperature)
            for a, b in (
                (mine.start_logits, theirs.start_logits),
                (mine.end_logits, theirs.end_logits),
            )
        ]
        return torch.stack(parts).mean()

    def answers(self, rows: Rows, outputs: Sequence[Output]) -> list[Place]:
        """The places of the answers in their texts; None for no answer."""
        if not isinstance(rows, WindowRows):
            raise TypeError("answers are read of windows")
        found: list[Place] = []
        first = 0
        for one in rows.windows:
            part = outputs[first : first + len(one)]
            first += len(one)
            choice = choose_spans(
                one,
                [output[0] for output in part],
                [output[1] for output in part],
                top=1,
                no_answer=rows.unanswerable,
            )
            found.append((choice.best.start, choice.best.end) if choice.best else None)
        return found

    def score(
        self, spec: TaskSpec, examples: Questions, answers: Sequence[Place]
    ) -> dict[str, float]:
        """F1 and exact match, as SQuAD's scripts compute them, from 0 to 1."""
        texts = {
            one.id: one.context[slice(*place)] if place else ""
            for one, place in zip(examples.questions, answers, strict=True)
        }
        found = score_answers(examples.data, texts)["all"]
        return {name: float(getattr(found, name)) for name in spec.metrics}

    def differing(self, spec: TaskSpec, one: Sequence[Place], other: Sequence[Place]) -> int:
        """Spans that differ."""
        del spec
        return sum(mine != theirs for mine, theirs in zip(one, other, strict=True))


def _masked(logits: Tensor, mask: Tensor) -> Tensor:
    # Finite: nothing times minus infinity would be no number.
    return logits.float().masked_fill(mask == 0, -1e4)
