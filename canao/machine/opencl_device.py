"""What lowering must know about an OpenCL device."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from canao.machine.processor import VectorUnit


class DeviceKind(StrEnum):
    """What a device is made of, which decides how tasks are spread over it."""

    cpu = "cpu"
    """Cores with vector units and caches: a work-item runs a task alone."""
    gpu = "gpu"
    """Many narrow lanes with local memory: the work-items of a group share a task."""


@dataclass(frozen=True)
class DeviceModel:
    """The limits and the vectors of a device."""

    kind: DeviceKind
    units: int
    """Compute units: work-groups that run at once."""
    unit: VectorUnit
    """The registers that one work-item uses."""
    alignment: int = 128
    """Bytes to which parts of a buffer must be aligned."""
    local_bytes: int = 32768
    """Local memory of a work-group."""
    private_bytes: int = 1 << 20
    """Arrays that a work-item may have of its own; larger ones are in global memory."""
    most_items: int = 256
    """Work-items in a work-group at most."""


_AVX2 = VectorUnit("float8", lanes_f32=8, registers=16, fma=True)

POCL = DeviceModel(DeviceKind.cpu, units=2, unit=_AVX2, local_bytes=1 << 20)
"""PoCL on a processor with two cores: what code is printed for where no device is named."""
