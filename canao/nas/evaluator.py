"""What judges a candidate's accuracy, as the search sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from canao.errors import CandidateError, InputFileError, SearchError
from canao.lowering.target import VectorUnit
from canao.nas.architecture import Architecture
from canao.nas.space import SearchSpace

ACCURACIES, SPACE = "accuracies.json", "space.json"


class Evaluator(Protocol):
    """Trains candidates for a task, little first, and hands over the best."""

    @property
    def name(self) -> str:
        """The task, for people."""
        ...

    @property
    def fidelities(self) -> tuple[int, ...]:
        """Training steps of each rung, fewest first."""
        ...

    def space(self, unit: VectorUnit, rows: int) -> SearchSpace:
        """The architectures that it can judge, for a processor and a length of sequences."""
        ...

    def accuracy(
        self, architecture: Architecture, *, steps: int, seed: int, directory: Path
    ) -> float:
        """The accuracy after so many steps, between 0 and 1.

        Training goes on from what `directory` has of fewer steps. Any error
        means that the candidate failed.
        """
        ...

    def finish(
        self, architecture: Architecture, *, seed: int, directory: Path, out: Path
    ) -> Mapping[str, Any]:
        """Write the trained model of the best to `out`; returns what its card should tell."""
        ...


@dataclass(frozen=True)
class RecordedAccuracy:
    """Accuracies from a table: for comparing searches, and for results of trainings elsewhere."""

    name: str
    table: Mapping[str, float]
    """Accuracy by `Architecture.key`."""
    recorded_space: SearchSpace
    fidelities: tuple[int, ...] = (1,)

    def space(self, unit: VectorUnit, rows: int) -> SearchSpace:
        """See `Evaluator`."""
        return self.recorded_space

    def accuracy(
        self, architecture: Architecture, *, steps: int, seed: int, directory: Path
    ) -> float:
        """See `Evaluator`."""
        try:
            return self.table[architecture.key]
        except KeyError:
            raise CandidateError(f"no accuracy is recorded for {architecture.key}") from None

    def finish(
        self, architecture: Architecture, *, seed: int, directory: Path, out: Path
    ) -> Mapping[str, Any]:
        """There are no weights to write: a table has none."""
        return {"accuracy from": ACCURACIES}

    @staticmethod
    def read(directory: Path) -> RecordedAccuracy:
        """The table in a directory: accuracies.json, with its space.json beside it."""
        table, space = (_read_json(directory / name) for name in (ACCURACIES, SPACE))
        sound = isinstance(table, dict) and all(
            isinstance(value, int | float) for value in cast("dict[str, object]", table).values()
        )
        if not sound:
            raise InputFileError(
                f"{directory / ACCURACIES} is no table of accuracies; it has to be an object of "
                "numbers by architecture, such as h384-a12-f1536.1536"
            )
        return RecordedAccuracy(
            directory.name, cast("dict[str, float]", table), SearchSpace.from_mapping(space)
        )


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputFileError(f"{path} cannot be read ({error}); correct it") from error


def evaluator_for(task: str | Path | Evaluator) -> Evaluator:
    """The evaluator of a task: one of one's own, or the directory of a recorded table."""
    if not isinstance(task, str | Path):
        return task
    directory = Path(task)
    if (directory / ACCURACIES).is_file():
        return RecordedAccuracy.read(directory)
    raise SearchError(
        f"there is no task '{task}'; name a directory with {ACCURACIES} and {SPACE}, or pass an "
        "Evaluator to canao.search"
    )
