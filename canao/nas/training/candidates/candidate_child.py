"""The child process that trains one candidate: one that hangs or dies takes no search with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from canao.nas.isolate import Job, child_main, progress_of
from canao.nas.space.architecture import Architecture


def train_and_judge(job: Job) -> dict[str, Any]:
    """Accuracy, seconds and directory of the architecture of a job after its steps."""
    from canao.nas.training.candidates.candidate import train_candidate
    from canao.nas.training.data.tasks import open_task
    from canao.nas.training.fit.distil import DistilRecipe

    trained = train_candidate(
        Architecture.from_mapping(job["architecture"]),
        open_task(job["task"], Path(job["data"]) if job["data"] else None),
        Path(job["teacher"]),
        steps=int(job["steps"]),
        seed=int(job["seed"]),
        directory=Path(job["directory"]),
        final=bool(job["final"]),
        recipe=DistilRecipe(**job["recipe"]),
        progress=progress_of(job),
    )
    return trained.to_dict()


if __name__ == "__main__":
    sys.exit(child_main(train_and_judge, sys.argv[1:]))
