"""Stands in for the child that trains a candidate: one block crashes it, two make it diverge."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from canao.errors import DivergedError
from canao.nas.isolate import Job, child_main


def work(job: Job) -> dict[str, Any]:
    if len(job["architecture"]["intermediate_sizes"]) == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    raise DivergedError("the loss is nan at step 1; lower the learning rate")


if __name__ == "__main__":
    sys.exit(child_main(work, sys.argv[1:]))
