"""What tuning asks of the place where schedules are measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from canao.program import Program
from canao.tuning.race import OnResult
from canao.tuning.runner import Entry


@dataclass(frozen=True)
class Identity:
    """What measurements of a place hold for."""

    triple: str
    cpu: str
    device: str = ""
    """The text of the device; empty for this process's machine."""
    unit: str = "ms"
    """What costs are counted in."""


class Place(Protocol):
    """Builds programs of layers and measures them against each other."""

    def identity(self) -> Identity:
        """What its measurements hold for."""
        ...

    def build(self, program: Program) -> Path:
        """What it runs, made from a program; equal files are the same machine code.

        `ToolchainError` if the compiler refuses it. Called by several threads at once.
        """
        ...

    def get_ready(self) -> None:
        """Start what takes time, while programs are being built."""
        ...

    def measure(
        self,
        entries: Sequence[Entry],
        on_result: OnResult,
        *,
        best: tuple[Entry, float] | None = None,
        reference: Entry | None = None,
    ) -> None:
        """Measure entries and tell of each; see `canao.tuning.runner.run_entries`."""
        ...

    def close(self) -> None:
        """End what runs."""
        ...
