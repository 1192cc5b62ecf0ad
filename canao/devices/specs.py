"""Devices by the texts that name them: local, qemu:aarch64, ssh:user@host:22, adb:SERIAL."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace

from canao.building.cache import Cache
from canao.devices.adb import AdbShell
from canao.devices.device import INSTRUCTIONS, MILLISECONDS, Device, Limits
from canao.devices.qemu import Emulator, QemuDevice, emulated_shell
from canao.devices.shell import LocalShell
from canao.devices.shell_device import ShellDevice
from canao.devices.ssh import SshShell
from canao.errors import DeviceError

FORMS = "local, qemu:ARCHITECTURE, ssh:[USER@]HOST[:PORT][/DIRECTORY] or adb:SERIAL[/DIRECTORY]"
"""How a device is named."""


def open_device(spec: str, cache: Cache, limits: Limits | None = None) -> Device:
    """The device that a text names; `DeviceError` for one that makes no sense.

    Nothing is connected to before it is used.
    """
    kind, colon, rest = spec.partition(":")
    make = _KINDS.get(kind)
    if make is None or bool(colon) != (kind != "local") or (colon and not rest):
        raise DeviceError(f"'{spec}' names no device; write {FORMS}")
    return make(rest, spec, cache, limits or Limits())


def names_device(text: str) -> bool:
    """Whether a text is meant for one of these devices, not for one of OpenCL."""
    return text.partition(":")[0] in _KINDS


def unit_of(spec: str) -> str:
    """What the costs of the device that a text names are counted in."""
    return INSTRUCTIONS if spec.partition(":")[0] == "qemu" else MILLISECONDS


def _local(rest: str, spec: str, cache: Cache, limits: Limits) -> Device:
    return ShellDevice(spec, LocalShell(tempfile.gettempdir()), cache, limits)


def _qemu(rest: str, spec: str, cache: Cache, limits: Limits) -> Device:
    shell = emulated_shell(tempfile.gettempdir(), rest)
    return QemuDevice(spec, shell, cache, limits, emulator=Emulator.find(rest))


def _ssh(rest: str, spec: str, cache: Cache, limits: Limits) -> Device:
    place, directory = _parted(rest)
    host, colon, port = place.rpartition(":")
    # The colons of an address of IPv6 stand in brackets.
    if not colon or place.endswith("]"):
        host, port = place, ""
    elif not (port.isdecimal() and 0 < int(port) < 1 << 16):
        raise DeviceError(f"'{spec}' names no device: '{port}' is no port; write {FORMS}")
    shell = SshShell(host, int(port) if port else None)
    return ShellDevice(spec, replace(shell, base=directory) if directory else shell, cache, limits)


def _adb(rest: str, spec: str, cache: Cache, limits: Limits) -> Device:
    serial, directory = _parted(rest)
    shell = AdbShell(serial, directory) if directory else AdbShell(serial)
    return ShellDevice(spec, shell, cache, limits)


def _parted(rest: str) -> tuple[str, str]:
    """What comes before the first slash, and the directory that begins with it."""
    place, slash, directory = rest.partition("/")
    return place, slash + directory


_KINDS: dict[str, Callable[[str, str, Cache, Limits], Device]] = {
    "local": _local,
    "qemu": _qemu,
    "ssh": _ssh,
    "adb": _adb,
}
