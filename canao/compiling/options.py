"""The arguments of `canao.compile`, checked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

from canao.building.cache import Cache
from canao.building.toolchain import Compiler, compiler_for
from canao.devices.device import Device
from canao.devices.fit import LOCAL, check_fits, target_for
from canao.devices.fit import check_threads as check_device_threads
from canao.devices.specs import open_device
from canao.errors import CanaoError, ToolchainError
from canao.machine.target import Target
from canao.machine.targets import target_names
from canao.measuring.stopwatch import Progress
from canao.storage_types import STORAGE_TYPES

Fusion = bool | Literal["exact", "fast"]
Tune = Literal["off", "default", "full"]


class CompileOptions(TypedDict, total=False):
    """What those who compile for a user hand on to `canao.compile`; all of it may be left out."""

    target: str | Target
    threads: int | None
    fusion: Fusion
    tune: Tune
    progress: Progress | None


class StorageOptions(CompileOptions, total=False):
    """The same with what says where numbers and code are kept."""

    dtype: str
    cache_dir: str | os.PathLike[str] | None


_FUSIONS = (True, False, "exact", "fast")
_TUNES = ("off", "default", "full")
DTYPES = ("float32", *STORAGE_TYPES)
"""In which types weights, and what lies between layers, may be stored."""
_MAX_THREADS = 1024


@dataclass(frozen=True)
class Options:
    """The checked arguments of `compile`."""

    target: Target
    threads: int | None
    """What was asked for; None leaves the choice to measurement."""
    fusion: Fusion
    tune: Tune
    dtype: str
    compiler: Compiler
    cache: Cache
    device: Device | None = None
    """Where schedules are measured; this machine if None."""

    @property
    def is_measured_elsewhere(self) -> bool:
        """Whether what is measured here says nothing of where the code will run."""
        away = self.device is not None and self.device.spec != LOCAL
        return away or self.target.is_foreign


def compiler_named() -> str | None:
    """The compiler that the variable CC names."""
    return os.environ.get("CC") or None


def cache_directory() -> str | None:
    """The directory that the variable CANAO_CACHE_DIR names."""
    given = os.environ.get("CANAO_CACHE_DIR")
    return str(Path(given).expanduser().absolute()) if given else None


def checked_options(
    target: str | Target,
    threads: int | None,
    fusion: Fusion,
    tune: Tune,
    dtype: str,
    cache_dir: str | os.PathLike[str] | None,
    device: str | Device | None = None,
) -> Options:
    """The options, with what they default to; an error for one that makes no sense.

    With a device and no target, code is made for the processor of the device.
    """
    _check_choice("fusion", fusion, _FUSIONS)
    _check_choice("tune", tune, _TUNES)
    _check_choice("dtype", dtype, DTYPES)
    if threads is not None:
        check_threads(threads)
    cache = Cache(cache_dir or cache_directory())
    if isinstance(device, str):
        device = open_device(device, cache)
    chosen = _target(target) if device is None else _target_on(device, target, threads)
    if dtype in STORAGE_TYPES:
        _check_storage(dtype, chosen, fusion)
    if chosen.device is not None and threads is not None:
        raise CanaoError(
            f"threads={threads} has no meaning for {chosen.device.name}, whose driver has the "
            "threads; leave `threads` out (POCL_MAX_PTHREAD_COUNT limits those of PoCL)"
        )
    if chosen.is_foreign:
        _check_foreign(chosen, threads, tune, device)
    return Options(
        target=chosen,
        threads=threads,
        fusion=fusion,
        tune=tune,
        dtype=dtype,
        compiler=compiler_for(chosen, compiler_named()),
        cache=cache,
        device=device,
    )


def _target(given: str | Target) -> Target:
    """What code is made for: "c", "opencl", or an entry of the table of targets by its name."""
    if isinstance(given, Target):
        return given
    if given == "c":
        return Target.host()
    if given == "opencl":
        return Target.opencl()
    _check_choice("target", given, ("c", "opencl", *target_names()))
    return Target(given)


def _target_on(device: Device, given: str | Target, threads: int | None) -> Target:
    """What code is made for that a device runs; `DeviceError` for what it does not run."""
    target = target_for(device) if given == "c" else _target(given)
    check_fits(target, device)
    check_device_threads(device, threads or 1)
    return target


def _check_foreign(target: Target, threads: int | None, tune: Tune, device: Device | None) -> None:
    """An error for what cannot be done for a machine that is not this one."""
    host, row = Target.host(), target.row
    if row is None and device is not None:
        return
    if row is None:
        missing = sorted(set(target.features) - set(host.features))
        lacking = f"it lacks {' '.join(missing)}" if missing else f"it is {host.architecture}"
        raise ToolchainError(
            f"code for {target.triple} cannot run on this machine ({lacking}); leave `target` out, "
            "compile for features that this machine has, or for another machine by its name: "
            f"{', '.join(target_names())}"
        )
    if tune == "full" and device is None:
        raise CanaoError(
            f'tune="full" measures on the device itself, and this machine is no {row.name}; name '
            'the `device`, or give tune="off", by which a cost model chooses'
        )
    if threads is not None and threads > 1 and not row.has_threads:
        raise CanaoError(f"threads={threads}: {row.name} has no threads; leave `threads` out")


def _check_storage(dtype: str, target: Target, fusion: Fusion) -> None:
    """An error where narrow storage does not exist, or would not do what is asked."""
    if target.device is None:
        raise CanaoError(
            f'dtype="{dtype}" is a type of memory that code in C does not have; give '
            'target="opencl" (--target opencl), or leave `dtype` out'
        )
    if fusion == "fast":
        raise CanaoError(
            f'fusion="fast" states the errors of float32 products, and dtype="{dtype}" rounds '
            "their weights; leave one of them out"
        )


def _check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    # 1 == True, but 1 is not what the option takes.
    if not any(value == choice and type(value) is type(choice) for choice in choices):
        known = ", ".join(repr(choice) for choice in choices)
        raise CanaoError(f"{name}={value!r} is not an option; choose one of {known}")


def check_threads(threads: object) -> None:
    """An error for what is no number of threads."""
    if (
        isinstance(threads, bool)
        or not isinstance(threads, int)
        or not 1 <= threads <= _MAX_THREADS
    ):
        raise CanaoError(
            f"threads={threads!r} is not a number of threads; give a whole number from 1 to "
            f"{_MAX_THREADS}, or None for what is fastest"
        )
