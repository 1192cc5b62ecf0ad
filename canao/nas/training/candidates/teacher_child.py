"""The child process that fine-tunes a teacher: a crash there takes no search with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from canao.nas.isolate import Job, child_main, progress_of


def make_teacher(job: Job) -> dict[str, Any]:
    """Fine-tunes the model of a job in its directory, or goes on with that."""
    from canao.nas.training.candidates.task_trainer import Tuning, tune
    from canao.nas.training.data.tasks import open_task
    from canao.nas.training.fit.trainer import Recipe

    recipe = Recipe(**job["recipe"])
    tuning = Tuning(Path(job["model"]), float(job["epochs"]), int(job["seed"]), recipe)
    task = open_task(job["task"], Path(job["data"]) if job["data"] else None)
    tune(tuning, task, Path(job["directory"]), progress_of(job))
    return {}


if __name__ == "__main__":
    sys.exit(child_main(make_teacher, sys.argv[1:]))
