"""What a process must know to run an OpenCL program: as JSON, for child processes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from typing import Any

import numpy as np

from canao.machine.device_record import OpenCLDevice, device_of
from canao.program import Launches, Program


@dataclass(frozen=True)
class Job:
    """A program's launches and the sizes of its buffers, in bytes."""

    device: OpenCLDevice
    launches: Launches
    inputs: tuple[int, ...]
    weights: tuple[int, ...]
    outputs: tuple[int, ...]
    arena_bytes: int

    @staticmethod
    def of(program: Program, device: OpenCLDevice) -> Job:
        """The job of a program in OpenCL C."""
        assert program.launches is not None

        def sizes(specs: Sequence[Any]) -> tuple[int, ...]:
            return tuple(prod(s.shape) * np.dtype(s.dtype).itemsize for s in specs)

        # Programs that differ in the names of blocks alone share a binary.
        steps = tuple(replace(step, block="") for step in program.launches.steps)
        return Job(
            device,
            replace(program.launches, steps=steps),
            sizes(program.inputs),
            sizes(program.weights),
            sizes(program.outputs),
            program.arena_bytes,
        )

    def to_json(self, *, described: bool = True) -> str:
        """All fields as JSON text, the same for equal jobs; the device only if `described`."""
        fields = asdict(self) if described else {**asdict(self), "device": None}
        return json.dumps(fields, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Job:
        """The inverse of `to_json`."""
        data: dict[str, Any] = json.loads(text)
        sizes = {name: tuple(data[name]) for name in ("inputs", "weights", "outputs")}
        return Job(
            device=device_of(data["device"]),
            launches=Launches.of(data["launches"]),
            arena_bytes=data["arena_bytes"],
            **sizes,
        )
