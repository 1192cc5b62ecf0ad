"""The child process that compiles a trained model and scores it: compiled code may crash."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from canao.nas.isolate import Job, child_main, progress_of


def score_model(job: Job) -> dict[str, Any]:
    """The official metrics of the model of a job, in PyTorch and compiled."""
    from canao.nas.training.judge import judge
    from canao.nas.training.tasks import open_task

    task = open_task(job["task"], Path(job["data"]) if job["data"] else None)
    return judge(Path(job["model"]), task, job["device"], job["cache_dir"], progress_of(job))


if __name__ == "__main__":
    sys.exit(child_main(score_model, sys.argv[1:]))
