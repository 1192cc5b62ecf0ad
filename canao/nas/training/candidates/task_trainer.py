"""A task with a teacher: judges candidates, and trains the one that is chosen to the end."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import filelock

from canao.errors import CanaoError, CandidateError, SearchError
from canao.machine.processor import VectorUnit
from canao.nas.isolate import Told, run_in_child
from canao.nas.models.sized_bert import architecture_of, read_config
from canao.nas.space.architecture import Architecture
from canao.nas.space.space import SearchSpace, space_within
from canao.nas.training.candidates.candidate import train_candidate
from canao.nas.training.candidates.teacher import default_teacher
from canao.nas.training.data.tasks import Task, open_task
from canao.nas.training.evaluation.judge import judge
from canao.nas.training.fit.distil import DistilRecipe
from canao.nas.training.fit.fine_tune import fine_tune, knows
from canao.nas.training.fit.recipes import distil_recipe_for, recipe_for
from canao.nas.training.fit.runs import CONFIG, fingerprint
from canao.nas.training.fit.trainer import Recipe
from canao.nas.training.task_options import TaskOptions

CHILD = "canao.nas.training.candidates.candidate_child"
TEACHER_CHILD = "canao.nas.training.candidates.teacher_child"
JUDGE_CHILD = "canao.nas.training.evaluation.judge_child"
_TEACHER = "teacher"


@dataclass(frozen=True)
class Source:
    """What a child process opens a task by."""

    name: str
    data: Path | None = None

    def job(self) -> dict[str, Any]:
        """The part of a job that names the task."""
        return {"task": self.name, "data": str(self.data) if self.data else None}


@dataclass(frozen=True)
class Tuning:
    """How a teacher is made of a model that does not know its task."""

    model: Path
    epochs: float = 3
    seed: int = 0
    recipe: Recipe = field(default_factory=Recipe)


@dataclass(frozen=True)
class TaskTrainer:
    """Trains candidates for a task with what a teacher knows of it.

    With a `source` each training is done in a child process, which may crash,
    hang or take all memory; without, in this one.
    """

    task: Task
    teacher: Path
    """A BERT; best one that was fine-tuned on the task."""
    fidelities: tuple[int, ...] = (50, 200)
    """Steps of each round, fewest first."""
    final_steps: int = 1000
    """Steps of the one that is chosen."""
    recipe: DistilRecipe = field(default_factory=DistilRecipe)
    progress: Told | None = None
    source: Source | None = None
    time_limit: float = 3600.0
    """Seconds that a child may take for a round."""
    memory_bytes: int | None = None
    """Memory that a child may take; no limit if None."""
    tuning: Tuning | None = None
    """With it `prepare` makes the teacher."""

    @classmethod
    def for_search(
        cls, name: str, options: TaskOptions, directory: Path, progress: Told | None = None
    ) -> TaskTrainer:
        """The trainer of a search; `prepare` makes its teacher in `directory` if it has to."""
        task = open_task(name, options.data)
        model = options.teacher or default_teacher()
        tuning = None
        if not knows(read_config(model), task.spec):
            recipe = replace(recipe_for(task.spec), bf16=options.bf16)
            tuning = Tuning(model, options.teacher_epochs, recipe=recipe)
        return cls(
            task,
            directory / _TEACHER if tuning else model,
            fidelities=options.fidelities,
            final_steps=options.final_steps,
            recipe=replace(distil_recipe_for(task.spec), bf16=options.bf16),
            progress=progress,
            source=Source(name, options.data),
            time_limit=options.time_limit,
            memory_bytes=options.memory_bytes,
            tuning=tuning,
        )

    @property
    def name(self) -> str:
        """The task, for people."""
        return self.task.spec.title

    @property
    def _model(self) -> Path:
        """What the teacher is, or is made of."""
        return self.tuning.model if self.tuning else self.teacher

    @property
    def largest(self) -> Architecture:
        """The teacher's sizes, which no candidate may exceed."""
        return architecture_of(read_config(self._model))

    @property
    def reference(self) -> Architecture:
        """The found model is compared with its teacher."""
        return self.largest

    @property
    def training(self) -> Mapping[str, Any]:
        """What accuracies follow from: examples, the model that the teacher is made of, steps."""
        return {
            "examples": self.task.digest,
            "teacher": fingerprint(self._model),
            "teacher_epochs": self.tuning.epochs if self.tuning else 0,
            "steps": list(self.fidelities),
            "final_steps": self.final_steps,
            "recipe": self.recipe.to_dict(),
        }

    @property
    def compared_examples(self) -> int:
        """The examples of all official splits."""
        return sum(map(len, self.task.evaluations.values()))

    def with_final_steps(self, steps: int) -> TaskTrainer:
        """See `PacedEvaluator`."""
        return replace(self, final_steps=steps)

    def space(self, unit: VectorUnit, rows: int) -> SearchSpace:
        """The teacher and what is smaller, in steps that are cheap on a processor."""
        return space_within(self.largest, unit, rows=rows)

    def prepare(self) -> None:
        """Make the teacher, without the examples that architectures are compared on.

        Searches that share its directory wait for the one that makes it.
        `SearchError` if that fails; the next call goes on from its last checkpoint.
        """
        tuning = self.tuning
        if tuning is None:
            return
        self.teacher.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self.teacher.parent / f".{_TEACHER}.lock"):
            # One that is finished is only looked at.
            if self.source is None or (self.teacher / CONFIG).is_file():
                tune(tuning, self.task, self.teacher, self.progress)
                return
            job = {
                **self.source.job(),
                "model": str(tuning.model),
                "epochs": tuning.epochs,
                "seed": tuning.seed,
                "recipe": tuning.recipe.to_dict(),
                "directory": str(self.teacher),
            }
            try:
                self._run(TEACHER_CHILD, job, "fine-tuning the teacher", None)
            except CandidateError as error:
                raise SearchError(
                    f"{error}; correct that and start the search again: it goes on from the last "
                    f"checkpoint in {self.teacher}"
                ) from error

    def accuracy(
        self, architecture: Architecture, *, steps: int, seed: int, directory: Path
    ) -> float:
        """The task's first metric after so many steps, on the examples held out.

        Training goes on from what `directory` has of fewer steps.
        `CandidateError` if a child crashes, hangs or fails.
        """
        found = self._train(architecture, steps, seed, directory, final=False)
        return float(found["accuracy"])

    def finish(
        self, architecture: Architecture, *, seed: int, directory: Path, out: Path
    ) -> Mapping[str, Any]:
        """Train on all examples for `final_steps` and write the model to `out`."""
        found = self._train(architecture, self.final_steps, seed, directory, final=True)
        copy_model(Path(found["directory"]), out)
        return {
            "steps": self.final_steps,
            "seconds": round(float(found["seconds"]), 1),
            **{f"note {n}": note for n, note in enumerate(self.task.notes, 1)},
        }

    def _train(
        self, architecture: Architecture, steps: int, seed: int, directory: Path, *, final: bool
    ) -> Mapping[str, Any]:
        """Accuracy, seconds and directory of a trained candidate."""
        if self.source is None:
            trained = train_candidate(
                architecture,
                self.task,
                self.teacher,
                steps=steps,
                seed=seed,
                directory=directory,
                final=final,
                recipe=self.recipe,
                progress=self.progress,
            )
            return trained.to_dict()
        job = {
            **self.source.job(),
            "architecture": json.loads(architecture.to_json()),
            "teacher": str(self.teacher),
            "steps": steps,
            "seed": seed,
            "directory": str(directory),
            "final": final,
            "recipe": self.recipe.to_dict(),
        }
        return self._run(CHILD, job, "training", None if final else self.time_limit)

    def compare(self, model: Path, device: Mapping[str, Any], cache_dir: Path) -> Mapping[str, Any]:
        """The official metrics of a model and of the teacher, in PyTorch and compiled."""
        both = (model, self.teacher)
        if self.source is None:
            scores = [judge(m, self.task, device, str(cache_dir), self.progress) for m in both]
        else:
            job = {
                **self.source.job(),
                "models": [str(m) for m in both],
                "device": dict(device),
                "cache_dir": str(cache_dir),
            }
            scores = self._run(JUDGE_CHILD, job, "evaluating", None)["scores"]
        found, theirs = scores
        return {**found, **{f"teacher's {name}": value for name, value in theirs.items()}}

    def _run(
        self, module: str, job: Mapping[str, Any], what: str, time_limit: float | None
    ) -> dict[str, Any]:
        return run_in_child(
            module,
            job,
            what=what,
            time_limit=time_limit,
            memory_bytes=self.memory_bytes,
            progress=self.progress,
        )


def tune(tuning: Tuning, task: Task, directory: Path, progress: Told | None = None) -> None:
    """Make a teacher in a directory; one that is finished there is kept."""
    fine_tune(
        tuning.model,
        task,
        directory=directory,
        epochs=tuning.epochs,
        seed=tuning.seed,
        recipe=tuning.recipe,
        everything=False,
        progress=progress,
    )


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
