"""What training, distilling, searching and judging ask of a kind of task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from canao.nas.models.heads import Head
from canao.nas.training.data.encode import Rows
from canao.nas.training.data.spec import TaskSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from canao.nas.models.kept_blocks import Batch

    Output = NDArray[np.float64]


class Kind(Protocol):
    """A kind of task. Examples are those that its files are read as."""

    @property
    def head(self) -> Head:
        """What stands on the encoder."""
        ...

    def settings(self, spec: TaskSpec) -> dict[str, Any]:
        """The configuration of the head."""
        ...

    def told(self, spec: TaskSpec) -> str:
        """What the outputs are, for people."""
        ...

    def training_rows(self, examples: Any, tokenizer: Any, spec: TaskSpec, seed: int) -> Rows:
        """Rows to learn from, with labels as the model takes them."""
        ...

    def rows(self, examples: Any, tokenizer: Any, spec: TaskSpec) -> Rows:
        """Rows to answer, in the order of the examples."""
        ...

    def outputs(self, given: Any, lengths: Sequence[int]) -> list[Output]:
        """What a model gave for a batch: an array for each row, which has so many tokens."""
        ...

    def compared(self, model: Any, batch: Batch) -> Tensor:
        """What a model says of a batch, as a tensor that should change little."""
        ...

    def divergence(self, mine: Any, theirs: Any, mask: Tensor, temperature: float) -> Tensor:
        """How far the outputs of two models are from each other, to be made small."""
        ...

    def answers(self, rows: Rows, outputs: Sequence[Output]) -> list[Any]:
        """The answer to each example."""
        ...

    def score(self, spec: TaskSpec, examples: Any, answers: Sequence[Any]) -> dict[str, float]:
        """The task's metrics of answers."""
        ...

    def differing(self, spec: TaskSpec, one: Sequence[Any], other: Sequence[Any]) -> int | None:
        """How many answers are not the same; None where they are numbers on a scale."""
        ...

    @property
    def exact(self) -> bool:
        """Whether a compiled model has to give the very same answers."""
        ...
