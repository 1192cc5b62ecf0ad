"""Stands in for the child that compiles a candidate: what it does follows from the hidden size."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from canao.errors import CanaoError
from canao.nas.isolate import Job, child_main, progress_of

FINE, REFUSED, CRASH, HANG, HUNGRY, KILLED, SILENT, TORCH, TELLING = range(32, 320, 32)


def work(job: Job) -> dict[str, Any]:
    hidden = job["architectures"][0]["hidden_size"]
    if hidden == REFUSED:
        raise CanaoError("operator 'aten.odd' is not supported")
    if hidden == CRASH:
        os.kill(os.getpid(), signal.SIGSEGV)
    if hidden == HANG:
        time.sleep(600)
    if hidden == HUNGRY:
        return {"executions": [{"latency_ms": len(bytearray(8 << 30))}]}
    if hidden == KILLED:
        os.kill(os.getpid(), signal.SIGKILL)
    if hidden == SILENT:
        os._exit(0)
    if hidden == TORCH:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried ...")
    if hidden == TELLING:
        tell = progress_of(job)
        for step in range(4):
            if tell is not None:
                tell("counting", step, 3)
    return {"executions": [{"latency_ms": 1.5, "fused_layers": 7}] * len(job["architectures"])}


if __name__ == "__main__":
    sys.exit(child_main(work, sys.argv[1:]))
