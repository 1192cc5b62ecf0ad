"""What is known of an OpenCL device: enough to make code for it without asking it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from canao.machine.opencl_device import DeviceKind, DeviceModel
from canao.machine.processor import VectorUnit

_LANES = {DeviceKind.cpu: 8, DeviceKind.gpu: 4}
"""Lanes of the widest vectors that pay. Compilers of CPU devices know vectors of 16, and spill
them: LLVM prefers registers of 256 bits on most processors."""
_REGISTERS = {DeviceKind.cpu: 16, DeviceKind.gpu: 24}
"""Vectors that a work-item keeps in registers."""
_STACK_BYTES = {DeviceKind.cpu: 1 << 20, DeviceKind.gpu: 512}
"""Arrays that a work-item may have: part of a thread's stack, or spilled registers."""


@dataclass(frozen=True)
class OpenCLDevice:
    """A device as its driver describes it."""

    name: str
    platform: str
    driver: str
    """Versions of the platform and of the driver: what is built by one is not run by another."""
    kind: DeviceKind
    units: int
    """Compute units."""
    lanes: int
    """float32 numbers in the vectors that the driver calls native."""
    memory_bytes: int
    most_bytes: int
    """Size of the largest buffer."""
    local_bytes: int
    most_items: int
    """Work-items in a work-group at most."""
    alignment: int
    """Bytes to which parts of a buffer must be aligned."""
    unified: bool
    """Whether it works on the memory of the host."""
    float64: bool
    exact_division: bool
    """Whether it can round quotients and square roots correctly."""

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells devices apart: some drivers count as memory what is free just now."""
        return self.name, self.platform, self.driver

    @property
    def options(self) -> tuple[str, ...]:
        """Options of its compiler."""
        exact = ("-cl-fp32-correctly-rounded-divide-sqrt",) if self.exact_division else ()
        return ("-cl-std=CL1.2", *exact)

    @property
    def model(self) -> DeviceModel:
        """What lowering must know of it."""
        lanes = min(_LANES[self.kind], max(self.lanes, 4))
        unit = VectorUnit(f"float{lanes}", lanes, _REGISTERS[self.kind], fma=True)
        return DeviceModel(
            kind=self.kind,
            units=self.units,
            unit=unit,
            alignment=self.alignment,
            local_bytes=self.local_bytes,
            private_bytes=_STACK_BYTES[self.kind],
            most_items=self.most_items,
        )


def device_of(data: Mapping[str, Any]) -> OpenCLDevice:
    """From what `asdict` makes of it; `KeyError`, `TypeError` or `ValueError` if malformed."""
    fields: dict[str, Any] = {**data, "kind": DeviceKind(data["kind"])}
    return OpenCLDevice(**fields)
