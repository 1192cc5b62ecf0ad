"""What candidates are compiled for: the options of a search that name a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canao.errors import SearchError
from canao.machine.target import Target

TARGETS = ("c", "opencl")
DEVICE = "device"
"""The option that only OpenCL has: the name of the device."""


def device_options(
    target: str,
    device: str | None,
    *,
    threads: int | None,
    sequence: int,
    batch: int,
    tune: str,
) -> dict[str, Any]:
    """What a study keeps of the device; an error for options that do not fit together.

    Code in C has one thread unless `threads` says otherwise. An OpenCL device
    is kept by its name: the same is meant on every machine of the study.
    """
    if target not in TARGETS:
        raise SearchError(f"there is no target '{target}'; choose one of {', '.join(TARGETS)}")
    options = {"target": target, "sequence": sequence, "batch": batch, "tune": tune}
    if target == "c":
        if device is not None:
            raise SearchError("a device is chosen for OpenCL; ask for the target opencl too")
        return {**options, "threads": 1 if threads is None else threads}
    if threads is not None:
        raise SearchError(
            f"threads={threads} has no meaning for OpenCL, whose driver has the threads; leave "
            "`threads` out"
        )
    found = Target.opencl(device).device
    assert found is not None
    return {**options, "threads": None, DEVICE: found.name}


def target_of(options: Mapping[str, Any]) -> Target:
    """The target that a study's device options name."""
    if options["target"] == "opencl":
        return Target.opencl(options.get(DEVICE))
    return Target.host()
