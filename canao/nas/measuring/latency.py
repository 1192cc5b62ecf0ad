"""What a candidate costs on the device: it is compiled and run there, and remembered."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from math import isfinite
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from canao.building.cache import Cache, digest
from canao.building.programs import package_digest
from canao.building.toolchain import compiler_for
from canao.errors import CandidateError
from canao.nas.isolate import run_in_child
from canao.nas.measuring.device import target_of
from canao.nas.measuring.device_lock import measuring
from canao.nas.space.architecture import Architecture
from canao.package import VERSION

CHILD = "canao.nas.measuring.latency_child"
TIME_LIMIT = 300.0
"""Seconds that compiling and measuring a candidate may take."""
TURNS = 3
"""Measurements of a finalist and of its teacher."""


@dataclass(frozen=True)
class Execution:
    """What the compiler and the device tell of a candidate: the feedback of the search."""

    latency_ms: float | None = None
    """Median of one run; None where it means nothing."""
    instructions: float | None = None
    """Instructions of one run, where they are what the device counts."""
    fused_layers: int = 0
    layers: int = 0
    """Layers after fusion."""
    cpu_utilization: float | None = 0.0
    """None where the device does not tell it."""
    gpu_utilization: float | None = None
    """Time in which an OpenCL device ran kernels over wall time; None for code in C."""
    peak_bytes: int = 0
    flops: int = 0
    threads: int = 1
    compile_seconds: float = 0.0
    target: str = ""
    kernels: tuple[Mapping[str, Any], ...] = ()
    """Name, variant, calls, milliseconds and part of the peak rate of each kernel."""

    @property
    def cost(self) -> float:
        """What a run costs, in milliseconds or instructions; NaN if nothing is known."""
        known = (value for value in (self.instructions, self.latency_ms) if value is not None)
        return next(known, math.nan)

    @property
    def cost_text(self) -> str:
        """What a run costs with its unit, for people."""
        if self.instructions is not None:
            return f"{self.instructions / 1e6:.3f} M instructions"
        return f"{self.cost:.2f} ms"

    @property
    def utilization(self) -> str:
        """How busy what ran it was, for people."""
        if self.gpu_utilization is None and self.cpu_utilization is None:
            return "not told"
        if self.gpu_utilization is None:
            return f"{self.cpu_utilization:.0%}"
        return f"{self.gpu_utilization:.0%} (device)"

    def attributes(self) -> dict[str, Any]:
        """What is kept with a trial: everything but the kernels."""
        values = asdict(self)
        del values["kernels"]
        return values

    @staticmethod
    def from_mapping(found: Mapping[str, Any]) -> Execution:
        """The execution that `asdict` or `attributes` gave; what else the mapping has is left."""
        names = {field.name for field in fields(Execution)}
        known: dict[str, Any] = {name: value for name, value in found.items() if name in names}
        known["kernels"] = tuple(found.get("kernels", ()))
        return Execution(**known)


class LatencyMeter(Protocol):
    """Tells what a candidate costs on a device."""

    def measure(self, architecture: Architecture, *, again: bool = False) -> Execution:
        """Compile and measure, or remember; with `again` measure in any case.

        `CandidateError` if the candidate cannot be compiled or run.
        """
        ...


@runtime_checkable
class TurnsMeter(LatencyMeter, Protocol):
    """A meter that measures several architectures in turns at less cost than one after another."""

    def measure_in_turns(
        self, architectures: Sequence[Architecture], turns: int
    ) -> list[Execution]:
        """The median latency of each over so many turns, whatever is remembered.

        `CandidateError` if one cannot be compiled or run.
        """
        ...


@dataclass(frozen=True)
class DeviceLatency:
    """Measures on this machine: in a child, one candidate at a time, never during training."""

    cache: Cache
    target: str = "c"
    sequence: int = 128
    batch: int = 1
    threads: int | None = None
    tune: str = "off"
    device: str | None = None
    """The name of an OpenCL device, or the text of one that runs programs."""
    runs: int = 50
    time_limit: float = TIME_LIMIT
    memory_bytes: int | None = None
    """Memory that the child may take; no limit if None."""
    child: str = CHILD

    @property
    def locks(self) -> Path:
        """The directory of the machine's locks."""
        return locks_in(self.cache)

    def measure(self, architecture: Architecture, *, again: bool = False) -> Execution:
        """See `LatencyMeter`."""
        known = None if again else self._remembered(architecture)
        if known is not None:
            return known
        with measuring(self.locks) as lock:
            # Another worker may have measured it while this one waited.
            known = None if again else self._remembered(architecture)
            if known is not None:
                return known
            return self._measure([architecture], 1, lock)[0]

    def measure_in_turns(
        self, architectures: Sequence[Architecture], turns: int
    ) -> list[Execution]:
        """See `TurnsMeter`: one child does it."""
        with measuring(self.locks) as lock:
            return self._measure(architectures, turns, lock)

    def _measure(
        self, architectures: Sequence[Architecture], turns: int, lock: int
    ) -> list[Execution]:
        """Measure in a child, and remember."""
        job = {
            "architectures": [json.loads(one.to_json()) for one in architectures],
            "turns": turns,
            "target": self.target,
            "sequence": self.sequence,
            "batch": self.batch,
            "threads": self.threads,
            "tune": self.tune,
            "device": self.device,
            "runs": self.runs,
            "time_limit": self.time_limit,
            "cache_dir": str(self.cache.root.parent),
        }
        found = run_in_child(
            self.child,
            job,
            what="compiling and measuring",
            time_limit=self.time_limit * len(architectures),
            memory_bytes=self.memory_bytes,
            inherit=[lock],
        )
        try:
            rows = found["executions"]
            executions = [_as_numbers(Execution.from_mapping(row)) for row in rows]
        except (KeyError, TypeError, ValueError) as error:
            raise CandidateError(f"measuring gave no latency ({error!r})") from error
        for architecture, execution in zip(architectures, executions, strict=True):
            self.cache.set_note(self._key(architecture), json.dumps(asdict(execution)))
        return executions

    def _remembered(self, architecture: Architecture) -> Execution | None:
        try:
            return Execution.from_mapping(
                json.loads(self.cache.note(self._key(architecture)) or "")
            )
        except (ValueError, TypeError):
            return None

    def _key(self, architecture: Architecture) -> str:
        target = target_of({"target": self.target, "device": self.device})
        asked = (self.target, self.sequence, self.batch, self.threads, self.tune)
        device = target.device.identity if target.device else (self.device or "",)
        return digest(
            "classifier",
            architecture.key,
            json.dumps(asked + device),
            target.cpu,
            " ".join(target.features),
            VERSION,
            package_digest(),
            compiler_for(target, os.environ.get("CC")).version,
        )


def measure_with(
    meter: LatencyMeter, architecture: Architecture, *, again: bool = False
) -> Execution:
    """What a meter tells of an architecture; `CandidateError` if its latency is no time."""
    return _checked(meter.measure(architecture, again=again))


def measure_in_turns(
    meter: LatencyMeter, architectures: Sequence[Architecture], turns: int = TURNS
) -> list[Execution]:
    """The middle of some measurements of each: they take turns, for a machine has slow minutes.

    `CandidateError` if one cannot be compiled or run.
    """
    if isinstance(meter, TurnsMeter):
        return [_checked(found) for found in meter.measure_in_turns(architectures, turns)]
    rounds = [[measure_with(meter, one, again=True) for one in architectures] for _ in range(turns)]
    return [middle(found) for found in zip(*rounds, strict=True)]


def middle(found: Sequence[Execution]) -> Execution:
    """The execution that is neither fast nor slow among some."""
    return sorted(found, key=lambda execution: execution.cost)[len(found) // 2]


def _checked(execution: Execution) -> Execution:
    if not (isfinite(execution.cost) and execution.cost > 0):
        raise CandidateError(f"measuring gave {execution.cost_text}, which is no latency")
    return execution


def _as_numbers(execution: Execution) -> Execution:
    """An execution whose cost is a number; `TypeError` or `ValueError` if it has none."""
    if execution.instructions is not None:
        return replace(execution, instructions=float(execution.instructions))
    if execution.latency_ms is None:
        raise ValueError("latency_ms")
    return replace(execution, latency_ms=float(execution.latency_ms))


def locks_in(cache: Cache) -> Path:
    """Where the locks of this machine's devices are: searches with one cache share them."""
    return cache.root / "locks"
