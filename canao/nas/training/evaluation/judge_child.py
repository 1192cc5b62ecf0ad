"""The child process that compiles trained models and scores them: compiled code may crash."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from canao.nas.isolate import Job, child_main, progress_of


def score_models(job: Job) -> dict[str, Any]:
    """The official metrics of each model of a job, in PyTorch and compiled."""
    from canao.nas.training.data.tasks import open_task
    from canao.nas.training.evaluation.judge import judge

    task = open_task(job["task"], Path(job["data"]) if job["data"] else None)
    tell = progress_of(job)
    models = [Path(model) for model in job["models"]]
    return {"scores": [judge(m, task, job["device"], job["cache_dir"], tell) for m in models]}


if __name__ == "__main__":
    sys.exit(child_main(score_models, sys.argv[1:]))
