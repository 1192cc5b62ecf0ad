"""Official metrics of trained models, in PyTorch and compiled, side by side."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from canao.errors import CanaoError, InputFileError
from canao.nas.models.sized_bert import architecture_of, load_classifier, read_config
from canao.nas.training.data.encode import collator, encode, load_tokenizer
from canao.nas.training.data.spec import TaskSpec
from canao.nas.training.data.tasks import Task
from canao.nas.training.evaluation.compiled import CompiledClassifier, Tune
from canao.nas.training.fit.fine_tune import head_for, knows
from canao.nas.training.fit.runs import CONFIG, read_record
from canao.nas.training.fit.trainer import Progress, silence
from canao.nas.training.scoring.metrics import score
from canao.nas.training.scoring.predict import predict

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

    @property
    def agrees(self) -> bool:
        """Whether compiled metrics are PyTorch's, to a tenth of a point."""
        return all(close(self.compiled[name], value) for name, value in self.pytorch.items())


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
    classifier = load_classifier(model).eval()
    ours = CompiledClassifier(classifier, threads, tune, stage)
    splits: list[SplitResult] = []
    for name, examples in task.evaluations.items():
        data = encode(examples, tokenizer, spec)
        told = _teller(progress, f"{spec.title} {name}, PyTorch", len(data))
        theirs = predict(classifier, data, collator(tokenizer), told)
        told = _teller(progress, f"{spec.title} {name}, compiled", len(data))
        mine = ours.predict(data, tokenizer.pad_token_id, told)
        splits.append(
            SplitResult(
                name,
                len(data),
                spec.official_rows.get(name),
                score(spec.metrics, theirs, examples.labels),
                score(spec.metrics, mine, examples.labels),
                float(abs(mine - theirs).max()),
            )
        )
    record = read_record(model)
    return TaskResult(
        spec.name,
        spec.title,
        model.name,
        architecture_of(config).key,
        classifier.num_parameters(),
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
    classes = head_for(spec)["num_labels"]
    if tuned is not None or config.num_labels != classes or _has_no_head(config):
        what = f"fine-tuned on {tuned}" if tuned else f"no classifier of {classes} outputs"
        raise CanaoError(
            f"{model} is {what}, and cannot be evaluated on {spec.title}; "
            f"train it first: canao train --task {spec.name}"
        )
    order = ", ".join(spec.labels) or "a score"
    return [f"{model} does not say what it was trained on; its outputs are read as {order}"]


def _has_no_head(config: Any) -> bool:
    kinds: Sequence[str] = config.architectures or ()
    return not any(kind.endswith("ForSequenceClassification") for kind in kinds)


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
