"""What a search on a real task is told of its data, its teacher and its trainings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from canao.errors import SearchError


@dataclass(frozen=True)
class TaskOptions:
    """How candidates for a task are trained."""

    data: Path | None = None
    """The folder of GLUE's data, or of one task's."""
    teacher: Path | None = None
    """A Hugging Face BERT; all-MiniLM-L6-v2 if None."""
    teacher_epochs: float = 3
    """Passes over the examples, if the teacher does not know the task yet."""
    fidelities: tuple[int, ...] = (50, 200)
    """Steps of each rung, fewest first."""
    final_steps: int = 1000
    """Steps of the candidate that is chosen."""
    time_limit: float = 3600.0
    """Seconds that a rung of a candidate may take."""
    bf16: bool = False
    """Whether products are computed in bfloat16 while training."""
    memory_bytes: int | None = None
    """Memory that a training may take; no limit if None."""

    def __post_init__(self) -> None:
        steps = self.fidelities
        if not steps or steps[0] < 1 or any(a >= b for a, b in pairwise(steps)):
            raise SearchError(
                f"steps {','.join(map(str, steps))} make no rungs; give whole numbers from 1 on, "
                "each larger than the one before, such as 50,200"
            )

    def of_study(self, training: Mapping[str, Any]) -> TaskOptions:
        """These options, with what a study says of its trainings: its workers obey that."""
        if not training:
            return self
        return replace(
            self,
            fidelities=tuple(training["steps"]),
            final_steps=int(training["final_steps"]),
            teacher_epochs=training["teacher_epochs"] or self.teacher_epochs,
            bf16=bool(training["recipe"]["bf16"]),
        )
