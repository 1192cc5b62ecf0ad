"""What judges a candidate's accuracy, as the search sees it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

from canao.errors import CandidateError, InputFileError, MissingExtraError
from canao.machine.processor import VectorUnit
from canao.nas.space.architecture import Architecture
from canao.nas.space.space import SearchSpace
from canao.nas.training.task_options import TaskOptions

_PARTS = ("accelerate", "datasets", "scipy", "sklearn", "transformers")
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

    @property
    def reference(self) -> Architecture | None:
        """What the latency of the best is compared with, if anything."""
        ...

    @property
    def training(self) -> Mapping[str, Any]:
        """All that accuracies follow from, as JSON has it: the workers of a study must agree."""
        ...

    def space(self, unit: VectorUnit, rows: int) -> SearchSpace:
        """The architectures that it can judge, for a processor and a length of sequences."""
        ...

    def prepare(self) -> None:
        """Make what trials need and takes long, such as a teacher; called before the first."""
        ...

    def accuracy(
        self, architecture: Architecture, *, steps: int, seed: int, directory: Path
    ) -> float:
        """The accuracy after so many steps, at most 1; correlations may be negative.

        Training goes on from what `directory` has of fewer steps. Any error
        means that the candidate failed.
        """
        ...

    def finish(
        self, architecture: Architecture, *, seed: int, directory: Path, out: Path
    ) -> Mapping[str, Any]:
        """Write the trained model of the best to `out`; returns what its card should tell."""
        ...

    def compare(self, model: Path, device: Mapping[str, Any], cache_dir: Path) -> Mapping[str, Any]:
        """How good a model that `finish` wrote is, in PyTorch and compiled for a device.

        A fact and the one named `teacher's` and the same are shown beside each other.
        """
        ...


@runtime_checkable
class PacedEvaluator(Evaluator, Protocol):
    """An evaluator whose last training can be made shorter, to fit the time of a search."""

    @property
    def final_steps(self) -> int:
        """Training steps of `finish`."""
        ...

    @property
    def compared_examples(self) -> int:
        """On how many examples `compare` scores a model."""
        ...

    def with_final_steps(self, steps: int) -> Evaluator:
        """The same with other steps of `finish`, and a learning rate that fits them."""
        ...


@dataclass(frozen=True)
class RecordedAccuracy:
    """Accuracies from a table: for comparing searches, and for results of trainings elsewhere."""

    name: str
    table: Mapping[str, float]
    """Accuracy by `Architecture.key`."""
    recorded_space: SearchSpace
    fidelities: tuple[int, ...] = (1,)
    reference: Architecture | None = None

    @property
    def training(self) -> Mapping[str, Any]:
        """See `Evaluator`."""
        rows = json.dumps(dict(self.table), sort_keys=True)
        return {"table": hashlib.sha256(rows.encode()).hexdigest()}

    def space(self, unit: VectorUnit, rows: int) -> SearchSpace:
        """See `Evaluator`."""
        return self.recorded_space

    def prepare(self) -> None:
        """See `Evaluator`."""

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

    def compare(self, model: Path, device: Mapping[str, Any], cache_dir: Path) -> Mapping[str, Any]:
        """There is no model to compare."""
        return {}

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


def evaluator_for(
    task: str | Path | Evaluator,
    directory: Path,
    options: TaskOptions | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Evaluator:
    """The evaluator of a task: one of one's own, a recorded table, or real data with a teacher.

    The teacher will be fine-tuned in `directory` if it has to be.
    """
    if not isinstance(task, str | Path):
        return task
    if (Path(task) / ACCURACIES).is_file():
        return RecordedAccuracy.read(Path(task))
    missing = [name for name in _PARTS if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError("training candidates", "nas")
    from canao.nas.training.candidates.task_trainer import TaskTrainer

    return TaskTrainer.for_search(str(task), options or TaskOptions(), directory, progress)
