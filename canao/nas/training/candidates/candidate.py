"""Training a candidate of a search: weights from a teacher, a short distillation, its accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from canao.nas.models.inherit import inherit
from canao.nas.models.sized_bert import load_model
from canao.nas.space.architecture import Architecture
from canao.nas.training.candidates.teacher import Teacher, open_teacher
from canao.nas.training.data.encode import Schedule, collator
from canao.nas.training.data.tasks import Task
from canao.nas.training.fit.distil import Distiller, DistilRecipe
from canao.nas.training.fit.fine_tune import evaluate_splits
from canao.nas.training.fit.recipes import distil_recipe_for
from canao.nas.training.fit.runs import CONFIG, Run, open_run, read_purpose
from canao.nas.training.fit.trainer import Progress, private_randomness, silence
from canao.nas.training.kinds.table import kind_of


@dataclass(frozen=True)
class Trained:
    """A trained candidate."""

    accuracy: float
    """The task's first metric, from 0 to 1 (correlations from -1), on the examples held out."""
    directory: Path
    """A Hugging Face model with its tokenizer."""
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Any])
    """All metrics by split."""
    seconds: float = 0.0
    """What this training took, the steps before it left out."""

    def to_dict(self) -> dict[str, Any]:
        """Accuracy, directory and seconds, as JSON has them."""
        return {
            "accuracy": self.accuracy,
            "directory": str(self.directory),
            "seconds": self.seconds,
        }


def train_candidate(
    architecture: Architecture,
    task: Task,
    teacher: Path,
    *,
    steps: int,
    seed: int,
    directory: Path,
    resume: bool = True,
    final: bool = False,
    recipe: DistilRecipe | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Make a model of an architecture from a teacher, distil it for `steps` in all, evaluate it.

    `teacher` is the directory of a BERT; if it was fine-tuned on the task, its
    logits are learnt from, else only its hidden states and the labels are.
    Candidates train without the examples that are held out and are judged on
    them; with `final` all are trained on and the official splits judge.

    `directory` belongs to the candidate and holds a training a number of
    steps. A longer one begins where the longest shorter one of the same kind
    ended, so a promoted candidate pays only for what it trains more. A training
    that was stopped goes on from its last checkpoint, a finished one is
    returned; `resume=False` begins anew.

    Raises `DivergedError` if the loss is no number any more, and other
    `CanaoError`s for what does not fit together.
    """
    silence()
    recipe = recipe or distil_recipe_for(task.spec)
    taught = open_teacher(teacher.resolve(), task)
    kind = "final" if final else "search"
    before = _shorter(directory, kind, steps) if resume else 0
    purpose = {
        "architecture": architecture.key,
        "task": task.spec.name,
        "examples": task.digest,
        "teacher": taught.fingerprint,
        "steps": steps,
        "after": before,
        "seed": seed,
        "recipe": recipe.to_dict(),
        "final": final,
    }
    place = directory / f"{kind}-{steps}"
    with open_run(place, purpose, resume=resume) as run:
        record = run.record()
        if record is None:
            start = directory / f"{kind}-{before}" if before else None
            record = _train(architecture, task, taught, purpose, recipe, run, start, progress)
    scores = record["scores"]
    first = [split[task.spec.metrics[0]] for split in scores.values()]
    return Trained(sum(first) / len(first), place, scores, record["seconds"])


def _shorter(directory: Path, kind: str, steps: int) -> int:
    """The steps of the longest finished training that is shorter; 0 if there is none.

    A training that has begun already keeps what it began with.
    """
    begun = read_purpose(directory / f"{kind}-{steps}")
    if begun:
        return int(begun.get("after", 0))
    done = [
        int(path.parent.name.removeprefix(f"{kind}-"))
        for path in directory.glob(f"{kind}-*/{CONFIG}")
    ]
    return max((n for n in done if n < steps), default=0)


def _train(
    architecture: Architecture,
    task: Task,
    teacher: Teacher,
    purpose: Mapping[str, Any],
    recipe: DistilRecipe,
    run: Run,
    before: Path | None,
    progress: Progress | None,
) -> dict[str, Any]:
    final, seed = bool(purpose["final"]), int(purpose["seed"])
    steps = int(purpose["steps"]) - int(purpose["after"])
    examples = task.training_examples(everything=final)
    kind = kind_of(task.spec)
    # Another order of examples than the shorter training had.
    order = seed + int(purpose["after"])
    data = kind.training_rows(examples, teacher.tokenizer, task.spec, order)
    with private_randomness(order):
        model, lineage = inherit(architecture, teacher.model, teacher.importance, seed=seed)
        if before is not None:
            model = load_model(before)
        cost = Distiller(
            model,
            data,
            collator(teacher.tokenizer),
            Schedule(data.lengths, recipe.batch_size, steps, order, fresh=data.fresh),
            recipe=recipe,
            seed=seed,
            directory=run.checkpoints,
            progress=progress,
            title=f"distilling {architecture.key}",
            kind=kind,
            teacher=teacher.model,
            lineage=lineage,
            knows_task=teacher.knows_task,
        ).resume_or_begin()
    parts = task.evaluations if final or not task.heldout else {"heldout": task.heldout}
    scores = evaluate_splits(model, teacher.tokenizer, task.spec, parts, progress)
    record = {**purpose, "seconds": cost.seconds, "losses": cost.losses, "scores": scores}
    run.finish(model, teacher.tokenizer, record)
    return record
