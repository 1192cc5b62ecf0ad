"""How the processor is used, and an OpenCL device as its events tell."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from canao.runtime.module import Pointers

if TYPE_CHECKING:
    from canao.runtime.opencl.module import Trace

_RUNS = 10


@dataclass(frozen=True)
class DeviceUse:
    """Medians over some runs."""

    busy: float
    """Time of all kernels over the wall time of a run."""
    transfer_ms: float
    """Time of all copies between host and device in a run."""
    transfer_bytes: int


def measure_use(module: Any, inputs: Pointers, outputs: Pointers) -> DeviceUse | None:
    """How a module uses its device; None for one that runs on threads."""
    trace = getattr(module, "trace", None)
    if trace is None:
        return None
    traces: list[Trace] = [trace(inputs, outputs) for _ in range(_RUNS)]
    return DeviceUse(
        busy=min(1.0, median(float(t.kernels.sum()) / t.wall for t in traces)),
        transfer_ms=1e3 * median(t.transfers for t in traces),
        transfer_bytes=traces[0].moved_bytes,
    )


def cpu_seconds() -> float:
    """Processor time that all threads of this process have used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
