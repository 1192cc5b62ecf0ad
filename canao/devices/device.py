"""What every device can do, and what is told of something that ran there."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from canao.devices.state import State

MILLISECONDS, INSTRUCTIONS = "ms", "instructions"
"""Units of a cost."""


def cost_text(cost: float | None, unit: str) -> str:
    """A cost with its unit, for people; empty if there is none."""
    if cost is None:
        return ""
    return f"{cost:.4f} ms" if unit == MILLISECONDS else f"{cost:,.0f} {unit}"


@dataclass(frozen=True)
class Limits:
    """What a program on a device may take."""

    seconds: float = 120.0
    """Wall time of one program."""
    output_bytes: int = 1 << 20
    """What it may write to its standard output, and to its standard error."""
    transfer_seconds: float = 600.0
    """Time that copying files may take."""
    answer_seconds: float = 30.0
    """Time beyond that of the program in which the device has to answer."""


@dataclass(frozen=True)
class Ran:
    """How a program on a device ended."""

    status: int
    """Its exit status; 128 and the number of the signal that ended it, as shells have it."""
    stdout: str
    stderr: str
    late: bool = False
    """Whether it was ended because its time was over."""

    @property
    def signal(self) -> str:
        """The name of the signal that ended it; empty if none did."""
        names = {known.value: known.name for known in signal.Signals}
        return names.get(self.status - 128, "") if self.status > 128 else ""


@dataclass(frozen=True)
class Sample:
    """What some runs of a program cost."""

    cost: float
    """Of one run: the median of the runs, or what all of them counted."""
    least: float
    most: float


class Workspace(Protocol):
    """A directory on a device, alone for whoever opened it and gone afterwards."""

    def push(self, files: Mapping[str, Path]) -> None:
        """Copy files into it; names may have a folder, as in `first/model`."""
        ...

    def pull(self, name: str, file: Path) -> None:
        """Copy a file out of it."""
        ...

    def build(self, folder: str) -> str:
        """Make the exported program in a folder by the compiler of the device; its name."""
        ...

    def run(
        self, folder: str, words: Sequence[str], *, cores: Sequence[int] = (), check: bool = True
    ) -> Ran:
        """Run a program of a folder, with the folder as its working directory.

        `ExecutionError` if it crashes, hangs, writes too much or (with `check`) ends with a
        status that is not 0; `DeviceError` if the connection is lost.
        """
        ...

    def state(self) -> State:
        """Temperatures and clocks now."""
        ...

    def sample(
        self, folder: str, words: Sequence[str], *, runs: int, cores: Sequence[int] = ()
    ) -> Sample:
        """What a run of an exported program costs there, in the unit of the device."""
        ...


class Device(Protocol):
    """Something that runs programs: one user at a time."""

    @property
    def spec(self) -> str:
        """The text that names it, such as `ssh:phone`."""
        ...

    @property
    def title(self) -> str:
        """What it is, for people."""
        ...

    @property
    def unit(self) -> str:
        """What costs are counted in: "ms" or "instructions"."""
        ...

    @property
    def most_threads(self) -> int | None:
        """Threads with which costs mean something; None if it does not matter."""
        ...

    def architecture(self) -> str:
        """What it calls its processor, as `uname -m` has it."""
        ...

    def processor(self) -> str:
        """What tells its processors from others: what was measured holds for these."""
        ...

    def opened(self) -> AbstractContextManager[Workspace]:
        """Have the device alone, with a new directory that is removed at the end."""
        ...
