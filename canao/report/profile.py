"""What each kernel of a model costs while the model runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from io import StringIO
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from canao.measuring.peak import Peaks
from canao.program import Program
from canao.report.execution_report import KernelRow, kernel_rows, time_table

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table


@dataclass(frozen=True)
class KernelCall:
    """One call of a kernel: one layer of the model."""

    kernel: str
    ms: float
    """Milliseconds, the median over runs; 0 where it has no tasks at these sizes."""


@dataclass(frozen=True)
class Profile:
    """Times of all kernels, taken between the calls of whole runs of the model.

    So each kernel finds in the caches what the one before it left, as it does when the model is
    used. Reading the clock between calls is part of the times.
    """

    kernels: tuple[KernelRow, ...]
    """Those that take longest first."""
    calls: tuple[KernelCall, ...]
    """All calls in their order, so that equal layers can be told apart."""
    kernels_ms: float
    """Milliseconds of all kernels in one run, the median over runs."""
    latency_ms: float
    """Milliseconds of a run in which no kernel is timed, the median over as many runs."""
    runs: int
    sizes: Mapping[str, int]
    """The values of the dimensions that vary; empty where none does."""
    threads: int
    dtype: str
    target: str
    peak_gflops: float
    """Measured rate of multiply-adds, with this number of threads."""
    peak_bandwidth: float
    """Measured GB/s of reading memory in order, with this number of threads."""

    def to_json(self) -> str:
        """All fields as JSON text."""
        return json.dumps(asdict(self), indent=1)

    def __str__(self) -> str:
        from rich.console import Console

        text = StringIO()
        Console(file=text, width=110).print(self)
        return text.getvalue().rstrip()

    def __rich__(self) -> Group:
        from rich.console import Group
        from rich.text import Text

        return Group(self.table(), Text(), Text(self.summary()))

    def table(self) -> Table:
        """A row a kernel: its part of the time, its rates and what they are parts of."""
        return time_table(self.kernels, bandwidth=True)

    def summary(self) -> str:
        """The sum, the latency without clocks, and what both depend on."""
        sizes = "".join(f", {name} {value}" for name, value in self.sizes.items())
        return (
            f"all kernels {self.kernels_ms:.3f} ms, a run {self.latency_ms:.3f} ms; "
            f"{self.runs} runs, {self.threads} threads, {self.dtype}{sizes}; at best "
            f"{self.peak_gflops:.1f} GFLOP/s and {self.peak_bandwidth:.1f} GB/s"
        )


def profile_of(
    program: Program,
    seconds: npt.NDArray[np.float64],
    peaks: Peaks,
    *,
    latency_ms: float,
    sizes: Mapping[str, int],
    threads: int,
    dtype: str,
    target: str,
) -> Profile:
    """The profile of a program at some sizes from the seconds of each call in each run.

    `seconds` has a row a run and a column a call.
    """
    names = [program.kernels[number].name for number in program.calls]
    each = np.median(seconds, axis=0) * 1e3
    rows = kernel_rows(program, seconds, peaks)
    return Profile(
        kernels=tuple(sorted(rows, key=lambda row: -row.ms)),
        calls=tuple(KernelCall(*call) for call in zip(names, each.tolist(), strict=True)),
        kernels_ms=float(np.median(seconds.sum(axis=1))) * 1e3,
        latency_ms=latency_ms,
        runs=len(seconds),
        sizes=dict(sizes),
        threads=threads,
        dtype=dtype,
        target=target,
        peak_gflops=peaks.gflops,
        peak_bandwidth=peaks.bandwidth,
    )
