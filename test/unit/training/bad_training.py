"""Stands in for children that train: how many blocks a candidate has says what becomes of it.

One block crashes it, two make it diverge, three take all memory.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from canao.errors import DivergedError
from canao.nas.isolate import Job, child_main


def work(job: Job) -> dict[str, Any]:
    blocks = len(job["architecture"]["intermediate_sizes"]) if "architecture" in job else 1
    if blocks == 1:
        os.kill(os.getpid(), signal.SIGSEGV)
    if blocks == 3:
        import torch

        held = [torch.ones(1 << 28) for _ in range(64)]
        return {"accuracy": float(held[0][0])}
    raise DivergedError("the loss is nan at step 1; lower the learning rate")


if __name__ == "__main__":
    sys.exit(child_main(work, sys.argv[1:]))
