"""A task with a teacher: judges candidates, and trains the one that is chosen to the end."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import filelock

from canao.errors import CanaoError
from canao.lowering.target import VectorUnit
from canao.nas.architecture import Architecture
from canao.nas.isolate import run_in_child
from canao.nas.space import SearchSpace, space_within
from canao.nas.task_options import TaskOptions
from canao.nas.training.candidate import train_candidate
from canao.nas.training.distil import DistilRecipe
from canao.nas.training.fine_tune import evaluate_splits, fine_tune, knows
from canao.nas.training.runs import CONFIG
from canao.nas.training.sized_bert import architecture_of, read_config
from canao.nas.training.tasks import Task, open_task
from canao.nas.training.teacher import default_teacher, open_teacher
from canao.nas.training.trainer import Progress, Recipe

CHILD = "canao.nas.training.candidate_child"
_TEACHER = "teacher"


@dataclass(frozen=True)
class Source:
    """What a child process opens a task by."""

    name: str
    data: Path | None = None


@dataclass(frozen=True)
class TaskTrainer:
    """Trains candidates for a task with what a teacher knows of it."""

    task: Task
    teacher: Path
    """A BERT; best one that was fine-tuned on the task, as `with_teacher` makes it."""
    fidelities: tuple[int, ...] = (50, 200)
    """Steps of each round, fewest first."""
    final_steps: int = 1000
    """Steps of the one that is chosen."""
    recipe: DistilRecipe | None = None
    progress: Progress | None = None
    source: Source | None = None
    """With it each candidate is trained in a child process, which may crash or hang."""
    time_limit: float = 3600.0
    """Seconds that such a child may take."""

    @classmethod
    def for_search(
        cls, name: str, options: TaskOptions, directory: Path, progress: Progress | None = None
    ) -> TaskTrainer:
        """The trainer of a search: the task is opened, its teacher is made in `directory`.

        Searches that share the directory wait for the one that makes the teacher.
        """
        task = open_task(name, options.data)
        with filelock.FileLock(directory / f".{_TEACHER}.lock"):
            trainer = cls.with_teacher(
                task,
                options.teacher or default_teacher(),
                directory / _TEACHER,
                epochs=options.teacher_epochs,
                recipe=Recipe(bf16=options.bf16),
                progress=progress,
            )
        return replace(
            trainer,
            fidelities=options.fidelities,
            final_steps=options.final_steps,
            recipe=DistilRecipe(bf16=options.bf16),
            source=Source(name, options.data),
            time_limit=options.time_limit,
        )

    @classmethod
    def with_teacher(
        cls,
        task: Task,
        model: Path,
        directory: Path,
        *,
        epochs: float = 3,
        seed: int = 0,
        recipe: Recipe | None = None,
        progress: Progress | None = None,
    ) -> TaskTrainer:
        """With that teacher, fine-tuned in `directory` first if it does not know the task.

        It is not shown the examples that architectures are compared on.
        """
        if not knows(read_config(model), task.spec):
            tuned = fine_tune(
                model,
                task,
                directory=directory,
                epochs=epochs,
                seed=seed,
                recipe=recipe,
                everything=False,
                progress=progress,
            )
            model = tuned.directory
        return cls(task, model, progress=progress)

    @property
    def name(self) -> str:
        """The task, for people."""
        return self.task.spec.title

    @property
    def largest(self) -> Architecture:
        """The teacher's sizes, which no candidate may exceed."""
        return architecture_of(read_config(self.teacher))

    @property
    def reference(self) -> Architecture:
        """The found model is compared with its teacher."""
        return self.largest

    def space(self, unit: VectorUnit, rows: int) -> SearchSpace:
        """The teacher and what is smaller, in steps that are cheap on a processor."""
        return space_within(self.largest, unit, rows=rows)

    def accuracy(
        self, architecture: Architecture, *, steps: int, seed: int, directory: Path
    ) -> float:
        """The task's first metric after so many steps, on the examples held out.

        Training goes on from what `directory` has of fewer steps. With a
        `source` it is a child process that trains; `CandidateError` if it
        crashes, hangs or fails.
        """
        if self.source is not None:
            return self._accuracy_in_child(self.source, architecture, steps, seed, directory)
        return train_candidate(
            architecture,
            self.task,
            self.teacher,
            steps=steps,
            seed=seed,
            directory=directory,
            recipe=self.recipe,
            progress=self.progress,
        ).accuracy

    def _accuracy_in_child(
        self, source: Source, architecture: Architecture, steps: int, seed: int, directory: Path
    ) -> float:
        job = {
            "architecture": json.loads(architecture.to_json()),
            "task": source.name,
            "data": str(source.data) if source.data else None,
            "teacher": str(self.teacher),
            "steps": steps,
            "seed": seed,
            "directory": str(directory),
            "recipe": (self.recipe or DistilRecipe()).to_dict(),
        }
        found = run_in_child(CHILD, job, what="training", time_limit=self.time_limit)
        return float(found["accuracy"])

    def finish(
        self, architecture: Architecture, *, seed: int, directory: Path, out: Path
    ) -> Mapping[str, Any]:
        """Train on all examples for `final_steps`, write the model to `out`, return its scores.

        Those of the teacher are beside them.
        """
        trained = train_candidate(
            architecture,
            self.task,
            self.teacher,
            steps=self.final_steps,
            seed=seed,
            directory=directory,
            final=True,
            recipe=self.recipe,
            progress=self.progress,
        )
        copy_model(trained.directory, out)
        taught = open_teacher(self.teacher.resolve(), self.task)
        theirs = evaluate_splits(
            taught.model, taught.tokenizer, self.task.spec, self.task.evaluations, self.progress
        )
        return {
            "steps": self.final_steps,
            "seconds": round(trained.seconds, 1),
            **_named(trained.scores),
            **{f"teacher's {name}": value for name, value in _named(theirs).items()},
            **{f"note {n}": note for n, note in enumerate(self.task.notes, 1)},
        }


def _named(scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {
        f"{metric} ({split})": value
        for split, values in scores.items()
        for metric, value in values.items()
    }


def copy_model(source: Path, out: Path) -> None:
    """Copy a model's files into a directory; the one that makes it a model comes last."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / CONFIG).unlink(missing_ok=True)
        files = [path for path in source.iterdir() if path.suffix in (".json", ".safetensors")]
        with tempfile.TemporaryDirectory(dir=out, prefix=".new-") as room:
            for path in sorted(files, key=lambda path: path.name == CONFIG):
                shutil.copyfile(path, Path(room) / path.name)
                (Path(room) / path.name).replace(out / path.name)
    except OSError as error:
        raise CanaoError(
            f"the model cannot be written to {out} ({error.strerror}); name another directory"
        ) from error
