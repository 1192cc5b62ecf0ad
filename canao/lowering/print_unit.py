"""The text of a lowered module in the language of its target."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp

from canao.lowering.c.print_c import print_c
from canao.lowering.opencl.print_opencl import print_opencl
from canao.lowering.plan_memory import PlanMemoryPass
from canao.machine.opencl_device import DeviceModel
from canao.program import Launches


@dataclass(frozen=True)
class PrintedUnit:
    """The text of a module and what its caller must provide."""

    source: str
    arena_bytes: int
    launches: Launches | None = None
    """What the host runs, if the text is OpenCL C."""


def print_unit(module: ModuleOp, threads: int, device: DeviceModel | None) -> PrintedUnit:
    """C for at most `threads` threads, or OpenCL C for a device."""
    if device is None:
        unit = print_c(module, threads)
        return PrintedUnit(unit.source, unit.arena_bytes)
    printed = print_opencl(module, device)
    return PrintedUnit(printed.source, printed.arena_bytes, printed.launches)


def plan_memory(device: DeviceModel | None) -> PlanMemoryPass:
    """The pass that places buffers where a target can address them."""
    return PlanMemoryPass() if device is None else PlanMemoryPass(max(64, device.alignment))
