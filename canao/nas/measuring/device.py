"""What candidates are compiled for: the options of a search that name a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canao.building.cache import Cache
from canao.devices.device import INSTRUCTIONS as COUNTED
from canao.devices.fit import target_for
from canao.devices.specs import names_device, open_device, unit_of
from canao.errors import SearchError
from canao.machine.target import Target
from canao.nas.space.objectives import INSTRUCTIONS, LATENCY

TARGETS = ("c", "opencl")
DEVICE = "device"
"""The option that names the device: one of OpenCL, or what runs exported programs."""


def device_options(
    target: str,
    device: str | None,
    *,
    threads: int | None,
    sequence: int,
    batch: int,
    tune: str,
    cache: Cache,
) -> dict[str, Any]:
    """What a study keeps of the device; an error for options that do not fit together.

    Code in C has one thread unless `threads` says otherwise. An OpenCL device
    is kept by its name: the same is meant on every machine of the study. Of a device that runs
    exported programs its text is kept, with the name of the target that candidates are made for.
    """
    if target not in TARGETS:
        raise SearchError(f"there is no target '{target}'; choose one of {', '.join(TARGETS)}")
    options = {"target": target, "sequence": sequence, "batch": batch, "tune": tune}
    if target == "c":
        if device is not None and names_device(device):
            found_target = target_for(open_device(device, cache))
            named = {"target": found_target.name or "c", DEVICE: device}
            return {**options, **named, "threads": 1 if threads is None else threads}
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
    return Target.host() if options["target"] == "c" else Target(options["target"])


def program_device(options: Mapping[str, Any]) -> str | None:
    """The text of the device that runs exported programs; None for what is measured here."""
    device = options.get(DEVICE)
    return device if device is not None and options["target"] != "opencl" else None


def on_this_machine(options: Mapping[str, Any]) -> dict[str, Any]:
    """The same options for the processor here: programs for elsewhere cannot be called."""
    if program_device(options) is None:
        return dict(options)
    return {name: value for name, value in options.items() if name != DEVICE} | {"target": "c"}


def cost_of(target: str, device: str | None) -> str:
    """The objective that says what a run costs on a device."""
    if device is None or target == "opencl" or not names_device(device):
        return LATENCY
    return INSTRUCTIONS if unit_of(device) == COUNTED else LATENCY
