"""Which target a device runs, and whether a target's programs run there."""

from __future__ import annotations

from canao.devices.device import Device
from canao.errors import DeviceError
from canao.machine.target import Target
from canao.machine.targets import row_of_machine

LOCAL = "local"
"""The text of the device that is this machine."""


def target_for(device: Device) -> Target:
    """What to compile for where nobody says it: this machine, or what any Linux there runs."""
    if device.spec == LOCAL:
        return Target.host()
    architecture = device.architecture()
    row = row_of_machine(architecture)
    if row is None:
        raise DeviceError(
            f"{device.title} has a processor ({architecture}) that no target is known for; name "
            "one, or build there"
        )
    return Target(row.name)


def check_language(target: Target, device: Device) -> None:
    """`DeviceError` for code that is no program in C."""
    if target.device is not None:
        raise DeviceError(
            f"the model is compiled for {target.title}; only programs in C go to {device.title}: "
            "leave the target out"
        )


def check_fits(target: Target, device: Device) -> None:
    """`DeviceError` where the device cannot run what is made for a target."""
    check_language(target, device)
    architecture = device.architecture()
    known = row_of_machine(architecture)
    if target.architecture != (Target(known.name).architecture if known else architecture):
        raise DeviceError(
            f"the model is compiled for {target.title} and {device.title} is {architecture}; "
            "compile for its canao.Target, or build there"
        )


def check_threads(device: Device, threads: int) -> None:
    """`DeviceError` for more threads than those with which costs mean something."""
    most = device.most_threads
    if most is not None and threads > most:
        raise DeviceError(
            f"{device.title} measures {most} thread, not {threads}: threads that wait for each "
            f"other execute instructions too; give threads={most}"
        )


def is_static(target: Target, device: Device) -> bool:
    """Whether programs for a device bring along all libraries that they need."""
    row = target.row
    return row.static if row else device.spec != LOCAL
