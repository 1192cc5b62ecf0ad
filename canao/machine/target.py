"""The processor or the OpenCL device that code is made for."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path

from canao.errors import ToolchainError
from canao.machine.device_record import OpenCLDevice
from canao.machine.opencl_device import DeviceModel
from canao.machine.processor import CpuModel, VectorUnit
from canao.machine.processors import LEVELS, VECTOR_FEATURES, vector_unit
from canao.machine.targets import NATIVE, TargetRow, known_row, target_row

_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
_OPERATING_SYSTEMS = {"linux": "linux-gnu", "darwin": "apple-darwin"}
_OF_ITS_ROW = ("as the table of targets has them",)
"""What stands for features that are left out."""


@dataclass(frozen=True)
class Target:
    """A processor: its triple, the features code may use, and its name; perhaps a device.

    `Target("aarch64-linux-musl")` is an entry of the table in `targets.py`, by its name;
    `ToolchainError` for a name that is not there. `Target("native")` is `Target.host()`.
    """

    triple: str
    features: tuple[str, ...] = _OF_ITS_ROW
    """Feature names as Linux gives them, sorted."""
    cpu: str = ""
    device: OpenCLDevice | None = None
    """The OpenCL device that runs the code; the processor itself, in C, if None."""
    design: CpuModel | None = None
    """The numbers of the processor's design, where they are known."""
    name: str = ""
    """The name of its entry in the table of targets; empty for a processor that was found."""

    def __post_init__(self) -> None:
        if self.features != _OF_ITS_ROW:
            return
        known = _host() if self.triple == NATIVE else _named(target_row(self.triple))
        for field in fields(self):
            object.__setattr__(self, field.name, getattr(known, field.name))

    @staticmethod
    def host(vectors: str | None = None) -> Target:
        """The processor that this process runs on.

        With `vectors` ("sse", "avx2" or "avx512"), only what every x86-64 processor
        with these registers has. `ToolchainError` where this one has not.
        """
        return _host() if vectors is None else _limited(_host(), vectors)

    @staticmethod
    def opencl(device: str | int | None = None) -> Target:
        """An OpenCL device of this machine: by number, by kind ("gpu", "cpu") or by name.

        The first that `canao devices` lists if nothing is given. `DeviceError` where
        there is none, `MissingExtraError` where pyopencl is not installed.
        """
        from canao.machine.opencl_devices import choose_device

        return replace(_host(), device=choose_device(device))

    @property
    def title(self) -> str:
        """What it is, for people."""
        if self.device is not None:
            return f"OpenCL {self.device.name}"
        return self.name or f"{self.triple} {self.cpu}".strip()

    @property
    def language(self) -> str:
        """What code for it is written in: "c" or "opencl"."""
        return "c" if self.device is None else "opencl"

    @property
    def device_model(self) -> DeviceModel | None:
        """What lowering must know of its device."""
        return None if self.device is None else self.device.model

    @property
    def architecture(self) -> str:
        """The first part of the triple."""
        return self.triple.partition("-")[0]

    @property
    def vector_unit(self) -> VectorUnit:
        """The vector registers that code for this target uses."""
        if self.device is not None:
            return self.device.model.unit
        if self.row is not None:
            return self.row.unit
        return vector_unit(self.features, self.design)

    @property
    def vector_features(self) -> tuple[str, ...]:
        """The vector features that C may use; none for an OpenCL device, whose driver decides."""
        if self.device is not None:
            return ()
        return tuple(feature for feature in VECTOR_FEATURES if feature in self.features)

    @property
    def row(self) -> TargetRow | None:
        """Its entry in the table of targets; None for a processor that was found."""
        return known_row(self.name)

    @property
    def march(self) -> str:
        """The value of `-march` that selects this processor; empty if none is known."""
        return "native" if self == Target.host() else self.vector_unit.march

    def runs_on(self, host: Target) -> bool:
        """Whether a process on `host` can load a library for this target."""
        # A library belongs to the C library that it was made for, which is part of the triple.
        same = self.triple == host.triple if self.name else self.architecture == host.architecture
        return same and set(self.features) <= set(host.features)

    @property
    def is_foreign(self) -> bool:
        """Whether this process cannot run code for it: it is made here, for elsewhere."""
        return self.device is None and not self.runs_on(_host())


def _named(row: TargetRow) -> Target:
    return Target(row.triple, row.features, name=row.name)


def _limited(host: Target, vectors: str) -> Target:
    if vectors not in LEVELS:
        raise ToolchainError(
            f"there are no vector registers '{vectors}'; choose one of {', '.join(LEVELS)}"
        )
    features = LEVELS[vectors]
    missing = sorted(features - set(host.features))
    if host.architecture != "x86_64" or missing:
        lacking = " ".join(missing) or f"it is {host.architecture}"
        raise ToolchainError(
            f"this machine has no {vectors} registers ({lacking}); choose others, or leave it out"
        )
    return Target(host.triple, tuple(sorted(features)))


@cache
def _host() -> Target:
    machine = platform.machine().lower()
    architecture = _ARCHITECTURES.get(machine, machine)
    system = platform.system().lower()
    triple = f"{architecture}-{_OPERATING_SYSTEMS.get(system, system)}"
    fields = _cpu_fields(Path("/proc/cpuinfo"))
    features = set((fields.get("flags") or fields.get("Features") or "").split())
    if architecture == "aarch64":
        features.add("asimd")
    elif architecture == "x86_64":
        features.add("sse2")
    name = fields.get("model name") or platform.processor() or architecture
    return Target(triple, tuple(sorted(features)), name, design=_design(fields))


def _design(fields: Mapping[str, str]) -> CpuModel | None:
    """What `/proc/cpuinfo` tells of a design; None if it has no numbers for it."""
    vendor, family, model = (fields.get(n, "") for n in ("vendor_id", "cpu family", "model"))
    if not (vendor and family.isdecimal() and model.isdecimal()):
        return None
    return CpuModel(vendor, int(family), int(model))


def _cpu_fields(path: Path) -> dict[str, str]:
    """The fields of the first processor that `/proc/cpuinfo` lists."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    first, _, _ = text.partition("\n\n")
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def target_threads(target: Target) -> int:
    """Threads that code for elsewhere is made for where no number is asked for."""
    return 1 if target.row is None else target.row.threads


def available_cores() -> int:
    """Physical cores that this process may run on."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    allowed = os.sched_getaffinity(0)
    siblings = {_siblings_of(cpu) for cpu in allowed}
    return max(1, len(siblings))


def _siblings_of(cpu: int) -> str:
    """The hardware threads of one core, as Linux lists them; the CPU itself if unknown."""
    path = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return str(cpu)
