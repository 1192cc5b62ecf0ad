"""Official metrics of trained models, in PyTorch and compiled, side by side."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from canao.errors import CanaoError, InputFileError
from canao.nas.models.sized_bert import architecture_of, load_model, read_config
from canao.nas.training.data.encode import collator, load_tokenizer
from canao.nas.training.data.spec import TaskSpec
from canao.nas.training.data.tasks import Task
from canao.nas.training.evaluation.compiled import CompiledByLength, Tune
from canao.nas.training.fit.fine_tune import head_for, knows
from canao.nas.training.fit.runs import CONFIG, read_record
from canao.nas.training.fit.trainer import Progress, silence
from canao.nas.training.kinds.predict import predict
from canao.nas.training.kinds.table import kind_of

TOLERANCE = 0.001
"""How far a metric of the compiled model may be from PyTorch's: a tenth of a point."""


def close(one: float, other: float) -> bool:
    """Whether two values of a metric are equal to a tenth of a point."""
    return abs(one - other) <= TOLERANCE + 1e-9


@dataclass(frozen=True)
class SplitResult:
    """A model on one evaluation split; metrics from 0 to 1 (correlations from -1)."""

    split: str
    rows: int
    official_rows: int | None
    """The size of the official split, where it is known."""
    pytorch: Mapping[str, float]
    compiled: Mapping[str, float]
    largest_difference: float
    """Between the logits."""
    differing: int | None = None
    """How many answers (classes, spans) are not the same; None for scores."""
    exact: bool = False
    """Whether none may differ."""

    @property
    def agrees(self) -> bool:
        """Whether compiled metrics are PyTorch's, to a tenth of a point, and spans the same."""
        alike = all(close(self.compiled[name], value) for name, value in self.pytorch.items())
        return alike and not (self.exact and self.differing)


@dataclass(frozen=True)
class TaskResult:
    """A model on a task."""

    task: str
    title: str
    model: str
    architecture: str
    weights: int
    splits: tuple[SplitResult, ...]
    compile_seconds: float
    training: Mapping[str, Any]
    """What is known of its training: epochs or steps, seed, seconds."""
    notes: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether compiled metrics are PyTorch's on every split."""
        return all(split.agrees for split in self.splits)


@dataclass(frozen=True)
class Evaluation:
    """The results of one row of a table: the same kind of model on several tasks."""

    name: str
    results: tuple[TaskResult, ...]

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON has them, and where they come from."""
        return {"name": self.name, "machine": _machine(), **asdict(self)}


_OF_TRAINING = ("epochs", "steps", "seed", "seconds", "final", "everything", "architecture")


def evaluate_task(
    model: Path,
    task: Task,
    *,
    threads: int | None = None,
    tune: Tune = "off",
    progress: Progress | None = None,
    stage: Callable[[str], None] = lambda stage: None,
) -> TaskResult:
    """The official metrics of the model in a directory, in PyTorch and compiled by canao."""
    silence()
    spec = task.spec
    if not task.evaluations:
        raise InputFileError(f"{task.place} has no evaluation split of {spec.title}")
    config, tokenizer = read_config(model), load_tokenizer(model)
    notes = [*task.notes, *_check_head(model, config, spec)]
    kind = kind_of(spec)
    network = load_model(model, kind.head).eval()
    ours = CompiledByLength(network, kind, threads, tune, stage)
    splits: list[SplitResult] = []
    for name, examples in task.evaluations.items():
        data = kind.rows(examples, tokenizer, spec)
        told = _teller(progress, f"{spec.title} {name}, PyTorch", len(data))
        theirs = predict(network, kind, data, collator(tokenizer), told)
        told = _teller(progress, f"{spec.title} {name}, compiled", len(data))
        mine = ours.predict(data, tokenizer.pad_token_id, told)
        answers, compiled_answers = kind.answers(data, theirs), kind.answers(data, mine)
        splits.append(
            SplitResult(
                name,
                len(examples),
                spec.official_rows.get(name),
                kind.score(spec, examples, answers),
                kind.score(spec, examples, compiled_answers),
                max(float(abs(a - b).max()) for a, b in zip(mine, theirs, strict=True)),
                kind.differing(spec, answers, compiled_answers),
                kind.exact,
            )
        )
    record = read_record(model)
    return TaskResult(
        spec.name,
        spec.title,
        model.name,
        architecture_of(config).key,
        network.num_parameters(),
        tuple(splits),
        ours.seconds,
        {name: record[name] for name in _OF_TRAINING if name in record},
        tuple(notes),
    )


def _teller(progress: Progress | None, title: str, total: int) -> Callable[[int], None] | None:
    if progress is None:
        return None
    return lambda done: progress(title, done, total)


def _check_head(model: Path, config: Any, spec: TaskSpec) -> list[str]:
    """An error if the model answers another question; a note if it does not say which."""
    if knows(config, spec):
        return []
    tuned = getattr(config, "finetuning_task", None)
    kind, count = kind_of(spec), head_for(spec)["num_labels"]
    if tuned is not None or config.num_labels != count or not kind.head.within(config):
        nothing = f"no {kind.head.what} of {count} outputs"
        what = f"fine-tuned on {tuned}" if tuned else nothing
        raise CanaoError(
            f"{model} is {what}, and cannot be evaluated on {spec.title}; "
            f"train it first: canao train --task {spec.name}"
        )
    order = kind.told(spec)
    return [f"{model} does not say what it was trained on; its outputs are read as {order}"]


def find_model(directory: Path, spec: TaskSpec) -> Path | None:
    """The model for a task: the directory itself, or one in it that has the task's name."""
    if (directory / CONFIG).is_file():
        return directory
    if not directory.is_dir():
        raise InputFileError(f"{directory} is no folder; name a model, or a folder of models")
    names = {spec.name, spec.title.lower()}
    places = [path for path in sorted(directory.iterdir()) if path.name.lower() in names]
    # Candidates are trained for a number of steps: the longest final training is meant.
    inside = [inner for place in places for inner in (place, *_longest_first(place))]
    return next((path for path in inside if (path / CONFIG).is_file()), None)


def _longest_first(place: Path) -> list[Path]:
    trainings = [path for path in place.glob("final-*") if path.name[6:].isdigit()]
    return sorted(trainings, key=lambda path: -int(path.name[6:]))


def _machine() -> dict[str, str]:
    import torch
    import transformers

    return {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
    }
