"""What a device is reached by: a POSIX shell there, and a way to move files."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from canao.devices.processes import Finished, run_limited
from canao.errors import DeviceError


class Shell(Protocol):
    """A POSIX shell on a device."""

    @property
    def title(self) -> str:
        """What it is, for people."""
        ...

    @property
    def identity(self) -> str:
        """What tells the device from others: whoever uses it has a lock of that name."""
        ...

    @property
    def base(self) -> str:
        """The directory there in which directories are made."""
        ...

    def connected(self) -> AbstractContextManager[Shell]:
        """The same shell over one connection, which ends with the context."""
        ...

    def say(self, script: str, *, seconds: float, output_bytes: int) -> Finished:
        """Run a script there; it may end before it is done if a limit is reached."""
        ...

    def push(self, files: Mapping[str, Path], *, seconds: float) -> None:
        """Copy files from here to absolute paths there; `DeviceError` if that fails."""
        ...

    def pull(self, source: str, file: Path, *, seconds: float) -> None:
        """Copy a file from there; `DeviceError` if that fails."""
        ...

    def explain(self, finished: Finished) -> str:
        """Why nothing was heard of a script, and what to do."""
        ...


@dataclass(frozen=True)
class LocalShell:
    """The shell of this machine."""

    base: str
    identity: str = "measuring"
    """The lock that tuning takes too: one measurement at a time."""
    title: str = "this machine"

    def connected(self) -> AbstractContextManager[Shell]:
        """See `Shell`."""
        return nullcontext(self)

    def say(self, script: str, *, seconds: float, output_bytes: int) -> Finished:
        """See `Shell`."""
        return run_limited(["/bin/sh", "-c", script], seconds=seconds, output_bytes=output_bytes)

    def push(self, files: Mapping[str, Path], *, seconds: float) -> None:
        """See `Shell`."""
        for target, file in files.items():
            _copy(file, Path(target), f"{self.title} cannot take {target}")

    def pull(self, source: str, file: Path, *, seconds: float) -> None:
        """See `Shell`."""
        _copy(Path(source), file, f"{source} cannot be read")

    def explain(self, finished: Finished) -> str:
        """See `Shell`."""
        said = finished.last_words or f"status {finished.status}"
        return f"the shell of {self.title} ended early ({said})"


def _copy(source: Path, target: Path, what: str) -> None:
    try:
        shutil.copyfile(source, target)
        shutil.copymode(source, target)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        advice = "free some space there" if full else "check the directory"
        raise DeviceError(f"{what} ({os.strerror(error.errno or 0)}); {advice}") from error
