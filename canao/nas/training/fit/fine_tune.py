"""Fine-tuning of a model on a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canao.nas.models.sized_bert import load_model, read_config
from canao.nas.training.data.encode import Schedule, collator, load_tokenizer, steps_in_epoch
from canao.nas.training.data.spec import TaskSpec
from canao.nas.training.data.tasks import Task
from canao.nas.training.fit.recipes import recipe_for
from canao.nas.training.fit.runs import fingerprint, open_run
from canao.nas.training.fit.trainer import (
    Progress,
    Recipe,
    ResumableTrainer,
    private_randomness,
    silence,
)
from canao.nas.training.kinds.predict import predict
from canao.nas.training.kinds.table import kind_of

Scores = Mapping[str, Mapping[str, float]]
"""Metrics by the name of the evaluation split."""


@dataclass(frozen=True)
class FineTuned:
    """A trained model and how good it is."""

    directory: Path
    scores: Scores
    record: Mapping[str, Any]
    """What stands in its `training.json`."""


def fine_tune(
    model: Path,
    task: Task,
    *,
    directory: Path,
    epochs: float = 3,
    seed: int = 0,
    recipe: Recipe | None = None,
    everything: bool = True,
    resume: bool = True,
    progress: Progress | None = None,
) -> FineTuned:
    """Train a model with a head on a task; the result is a Hugging Face model in `directory`.

    A training that was stopped goes on from its last checkpoint; one that is
    finished is returned. It uses a GPU if there is one. With `everything` the
    examples that are held out for comparing architectures are trained on too;
    without, the scores are those on them (split "heldout").
    """
    silence()
    recipe = recipe or recipe_for(task.spec)
    examples = task.training_examples(everything=everything)
    purpose = {
        "task": task.spec.name,
        "examples": task.digest,
        "model": fingerprint(model),
        "epochs": epochs,
        "seed": seed,
        "recipe": recipe.to_dict(),
        "everything": everything,
    }
    with open_run(directory, purpose, resume=resume) as run:
        record = run.record()
        if record is not None:
            return FineTuned(directory, record["scores"], record)
        tokenizer = load_tokenizer(model)
        steps = max(1, round(epochs * steps_in_epoch(len(examples), recipe.batch_size)))
        with private_randomness(seed):
            trained = with_head(model, task.spec)
            data = kind_of(task.spec).training_rows(examples, tokenizer, task.spec, seed)
            trainer = ResumableTrainer(
                trained,
                data,
                collator(tokenizer),
                Schedule(data.lengths, recipe.batch_size, steps, seed, fresh=data.fresh),
                recipe,
                seed=seed,
                directory=run.checkpoints,
                progress=progress,
                title=f"training on {task.spec.title}",
            )
            cost = trainer.resume_or_begin()
        parts = task.evaluations if everything or not task.heldout else {"heldout": task.heldout}
        scores = evaluate_splits(trained, tokenizer, task.spec, parts, progress)
        record = {
            **purpose,
            "examples": len(examples),
            "steps": steps,
            "seconds": cost.seconds,
            "losses": cost.losses,
            "scores": scores,
        }
        run.finish(trained, tokenizer, record)
        return FineTuned(directory, scores, record)


def evaluate_splits(
    model: Any,
    tokenizer: Any,
    spec: TaskSpec,
    splits: Mapping[str, Any],
    progress: Progress | None = None,
) -> dict[str, dict[str, float]]:
    """The task's metrics of a model on each split, in PyTorch."""
    found: dict[str, dict[str, float]] = {}
    kind = kind_of(spec)
    for name, examples in splits.items():
        data = kind.rows(examples, tokenizer, spec)
        told = None
        if progress:
            title = f"evaluating on {spec.title} {name}"
            told = _teller(progress, title, len(data))
        outputs = predict(model, kind, data, collator(tokenizer), told)
        found[name] = kind.score(spec, examples, kind.answers(data, outputs))
    return found


def _teller(progress: Progress, title: str, total: int) -> Any:
    return lambda done: progress(title, done, total)


def head_for(spec: TaskSpec) -> dict[str, Any]:
    """The settings of a model's head for a task."""
    return kind_of(spec).settings(spec)


def with_head(model: Path, spec: TaskSpec) -> Any:
    """The model in a directory with a head for a task; a new one unless it has one."""
    config, head = read_config(model), kind_of(spec).head
    if knows(config, spec):
        return load_model(model, head)
    # A classifier for another task would only be in the way.
    trained = load_model(model, head, **head_for(spec), ignore_mismatched_sizes=True)
    trained.config.finetuning_task = spec.name
    return trained


def knows(config: Any, spec: TaskSpec) -> bool:
    """Whether a model was fine-tuned on a task by canao."""
    return (
        getattr(config, "finetuning_task", None) == spec.name
        and config.num_labels == head_for(spec)["num_labels"]
        and kind_of(spec).head.within(config)
    )
