"""Texts, or pairs of them, that have a class or a score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from canao.nas.models.heads import CLASSIFIER, Head
from canao.nas.models.kept_blocks import logits
from canao.nas.training.data.columns import Examples
from canao.nas.training.data.encode import Rows, encode
from canao.nas.training.data.spec import TaskSpec
from canao.nas.training.kinds.divergence import logits_loss
from canao.nas.training.scoring.metrics import predicted, score_predicted

if TYPE_CHECKING:
    from torch import Tensor

    from canao.nas.models.kept_blocks import Batch
    from canao.nas.training.kinds.kind import Output


@dataclass(frozen=True)
class Labelled:
    """See `Kind`."""

    head: Head = CLASSIFIER
    exact: bool = False

    def settings(self, spec: TaskSpec) -> dict[str, Any]:
        """An output for each class, or one for the score."""
        names = dict(enumerate(spec.labels)) or {0: "score"}
        return {
            "num_labels": len(names),
            "id2label": names,
            "label2id": {name: number for number, name in names.items()},
            "problem_type": "regression" if spec.is_score else "single_label_classification",
        }

    def told(self, spec: TaskSpec) -> str:
        """The classes in their order."""
        return ", ".join(spec.labels) or "a score"

    def training_rows(self, examples: Examples, tokenizer: Any, spec: TaskSpec, seed: int) -> Rows:
        """The same rows in every epoch."""
        del seed
        return encode(examples, tokenizer, spec)

    def rows(self, examples: Examples, tokenizer: Any, spec: TaskSpec) -> Rows:
        """A row an example, cut to the most tokens that the task takes."""
        return encode(examples, tokenizer, spec)

    def outputs(self, given: Any, lengths: Sequence[int]) -> list[Output]:
        """The logits of each row."""
        logits = given.logits[: len(lengths)].detach().float().cpu().numpy()
        return list(logits.astype(np.float64))

    def compared(self, model: Any, batch: Batch) -> Tensor:
        """The logits."""
        return logits(model, batch)

    def divergence(self, mine: Any, theirs: Any, mask: Tensor, temperature: float) -> Tensor:
        """Of the classes, or of the scores."""
        del mask
        return logits_loss(mine.logits, theirs.logits, temperature)

    def answers(self, rows: Rows, outputs: Sequence[Output]) -> list[float]:
        """Numbers of classes, or scores."""
        del rows
        return predicted(np.stack(list(outputs))).tolist()

    def score(
        self, spec: TaskSpec, examples: Examples, answers: Sequence[float]
    ) -> dict[str, float]:
        """GLUE's metrics."""
        return score_predicted(spec.metrics, answers, examples.labels)

    def differing(self, spec: TaskSpec, one: Sequence[float], other: Sequence[float]) -> int | None:
        """Classes that differ."""
        if spec.is_score:
            return None
        return sum(mine != theirs for mine, theirs in zip(one, other, strict=True))
