"""Trains candidates as the real child does, and crashes in the last training of the best."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from canao.nas.isolate import Job, child_main
from canao.nas.training.candidates.candidate_child import train_and_judge


def work(job: Job) -> dict[str, Any]:
    if job["final"]:
        os.kill(os.getpid(), signal.SIGSEGV)
    return train_and_judge(job)


if __name__ == "__main__":
    sys.exit(child_main(work, sys.argv[1:]))
