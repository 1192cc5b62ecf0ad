"""A task with a teacher: judges candidates, and trains the one that is chosen to the end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from canao.errors import CanaoError
from canao.nas.architecture import Architecture
from canao.nas.training.candidate import train_candidate
from canao.nas.training.distil import DistilRecipe
from canao.nas.training.fine_tune import fine_tune, knows
from canao.nas.training.runs import CONFIG
from canao.nas.training.sized_bert import architecture_of, read_config
from canao.nas.training.tasks import Task
from canao.nas.training.trainer import Progress, Recipe


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

    def accuracy(
        self, architecture: Architecture, *, steps: int, seed: int, directory: Path
    ) -> float:
        """The task's first metric after so many steps, on the examples held out.

        Training goes on from what `directory` has of fewer steps.
        """
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

    def finish(
        self, architecture: Architecture, *, seed: int, directory: Path, out: Path
    ) -> Mapping[str, Any]:
        """Train on all examples for `final_steps`, write the model to `out`, return its scores."""
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
        _copy_model(trained.directory, out)
        scores = {
            f"{metric} ({split})": value
            for split, values in trained.scores.items()
            for metric, value in values.items()
        }
        return {"steps": self.final_steps, "seconds": trained.seconds, **scores}


def _copy_model(source: Path, out: Path) -> None:
    """The files of a model into a directory; the one that makes it a model comes last."""
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
