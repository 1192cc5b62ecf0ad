"""Android devices by the `adb` client: no program of ours has to be there, nor root."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from canao.devices.processes import Finished, last_words, run_limited
from canao.devices.shell import Shell
from canao.errors import DeviceError

_SERIAL = re.compile(r"(?!-)[A-Za-z0-9._:\[\]%-]+")
_ADVICE = (
    ("unauthorized", "unlock the phone and allow this computer, then look at: adb devices"),
    ("offline", "unplug it and plug it in again, or: adb reconnect"),
    ("not found", "adb devices lists those that are there"),
    ("no devices", "plug it in and allow USB debugging in its developer options"),
    ("no permissions", "allow your user to use USB devices (udev rules), then: adb kill-server"),
    ("No space left", "free some space on the phone"),
    ("cannot connect to daemon", "start it by hand: adb start-server"),
)
_LIST_SECONDS = 20.0


@dataclass(frozen=True)
class AdbShell:
    """The shell of an Android device, by its serial number."""

    serial: str
    base: str = "/data/local/tmp"
    """Where the user of adb may write, and run programs from."""

    def __post_init__(self) -> None:
        if not _SERIAL.fullmatch(self.serial):
            raise DeviceError(f"'{self.serial}' is no serial number of adb; adb devices lists them")

    @property
    def title(self) -> str:
        """See `Shell`."""
        return f"{self.serial} (adb)"

    @property
    def identity(self) -> str:
        """See `Shell`."""
        return f"adb {self.serial}"

    def connected(self) -> AbstractContextManager[Shell]:
        """See `Shell`: the server of adb keeps the connection."""
        return nullcontext(self)

    def _command(self, *words: str) -> list[str]:
        return ["adb", "-s", self.serial, *words]

    def say(self, script: str, *, seconds: float, output_bytes: int) -> Finished:
        """See `Shell`: the client hands on one argument as it stands."""
        command = self._command("shell", script)
        return run_limited(command, seconds=seconds, output_bytes=output_bytes)

    def push(self, files: Mapping[str, Path], *, seconds: float) -> None:
        """See `Shell`."""
        for target, file in files.items():
            self._copy("push", str(file.absolute()), target, seconds)

    def pull(self, source: str, file: Path, *, seconds: float) -> None:
        """See `Shell`."""
        self._copy("pull", source, str(file.absolute()), seconds)

    def _copy(self, way: str, source: str, target: str, seconds: float) -> None:
        done = run_limited(
            self._command(way, source, target), seconds=seconds, output_bytes=1 << 16
        )
        if done.late:
            raise DeviceError(f"{source} was not copied to {target} within {seconds:g} s")
        if done.status:
            raise DeviceError(f"{source} was not copied to {target} ({self.explain(done)})")

    def explain(self, finished: Finished) -> str:
        """See `Shell`."""
        # Of files that were not copied the client tells on its standard output.
        said = finished.last_words or last_words(finished.stdout)
        for words, advice in _ADVICE:
            if words in finished.stderr + finished.stdout:
                return f"{self.title} cannot be used: {said}; {advice}"
        return f"the connection to {self.title} was lost: {said or 'nothing was said'}"


def _server_runs() -> bool:
    """Whether anybody listens where the client looks for its server."""
    place = os.environ.get("ADB_SERVER_SOCKET", "tcp:5037").removeprefix("tcp:")
    host, _, port = place.rpartition(":")
    port = os.environ.get("ANDROID_ADB_SERVER_PORT", port)
    if not port.isdecimal():
        return True  # a socket of another kind: the client knows
    with suppress(OSError), socket.create_connection((host or "127.0.0.1", int(port)), 2.0):
        return True
    return False


@dataclass(frozen=True)
class AttachedPhone:
    """A device that the server of adb knows."""

    serial: str
    state: str
    """"device" if it can be used; "unauthorized", "offline" and others else."""
    model: str = ""


def attached_phones() -> list[AttachedPhone]:
    """The Android devices that are attached.

    `DeviceError` if adb is not installed or fails, or if its server does not run: looking at what
    there is starts none.
    """
    if not _server_runs():
        raise DeviceError("the server of adb does not run; to see phones, start it: adb devices")
    found = run_limited(["adb", "devices", "-l"], seconds=_LIST_SECONDS, output_bytes=1 << 16)
    if found.status:
        raise DeviceError(f"adb cannot list its devices ({found.last_words}); adb start-server")
    phones: list[AttachedPhone] = []
    for line in found.stdout.splitlines():
        words = line.split()
        if len(words) < 2 or line.startswith(("List of", "*")):
            continue
        facts = dict(word.split(":", 1) for word in words[2:] if ":" in word)
        phones.append(AttachedPhone(words[0], words[1], facts.get("model", "")))
    return phones
