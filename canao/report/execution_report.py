"""What a compiled model is made of and how fast each part runs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import StringIO
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from canao.frontend.dtypes import Widened
from canao.measuring.peak import Peaks
from canao.program import FastProduct, KernelSpec, Program, Rewrite
from canao.tuning.choose_threads import ThreadChoice

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table


_NEAR = 0.5
"""The part of a limit from which on it counts as what bounds a kernel."""


@dataclass(frozen=True)
class KernelRow:
    """One kernel: all calls of one fused layer and its equals."""

    name: str
    ops: tuple[str, ...]
    variants_tried: tuple[str, ...]
    variant: str
    """The schedule that was chosen."""
    ms: float
    """Milliseconds of all its calls in one run, the median over runs."""
    gflops: float
    peak_fraction: float
    """Its rate as a part of what the processor reaches at best."""
    bandwidth_fraction: float
    """The bytes it must move at least, over its time, as a part of what memory gives at best;
    above 1 where caches serve it."""
    bound: str
    """"compute" or "memory": which of the two is nearer its limit."""
    calls: int
    share: float
    """Its part of the time of all kernels."""
    flops: int
    """Floating-point operations of one of its calls."""
    bytes: int
    """What one of its calls reads and writes at least."""
    gb_per_s: float
    """These bytes, of all calls, over its time."""


@dataclass(frozen=True)
class ExecutionReport:
    """Sizes, counts and times of a compiled model.

    Counts are those of the paper: before fusion a layer is one operator of the
    graph and computations are the arithmetic operators as written; after
    fusion a layer is one loop nest that writes memory, and computations are
    the operators it evaluates for an element.
    """

    layers_before: int
    layers_after: int
    computations_before: int
    computations_after: int
    fused_layers: int
    """Layers after fusion that evaluate more than one operator."""
    fallbacks: int
    """Operators left to PyTorch: none, an operator without a conversion is an error."""
    flops: int
    latency_ms: float | None
    """None for code that another machine runs, of which nothing is measured: rates are zero."""
    cpu_utilization: float | None
    """Processor time of the process in the runs over threads times wall time; None as above."""
    gpu_utilization: float | None
    """Time in which the OpenCL device ran kernels over wall time; None where none is used."""
    peak_bytes: int
    """Memory that a run needs: weights, intermediate tensors, inputs and outputs."""
    compile_seconds: Mapping[str, float]
    kernels: tuple[KernelRow, ...]
    threads: int
    thread_choice: ThreadChoice
    """Why that many, with what was measured."""
    dtype: str
    target: str
    compiler: str
    cpu_flags: tuple[str, ...]
    peak_gflops: float
    """Measured rate of multiply-adds, with this number of threads."""
    peak_bandwidth: float
    """Measured GB/s of reading memory in order, with this number of threads."""
    rewrites: tuple[Rewrite, ...] = ()
    """The computation laws that were used, how often, and whether rounding changed."""
    fast_products: tuple[FastProduct, ...] = ()
    """Products computed as seven of half the size (`fusion="fast"`), and what that loses."""
    transfer_ms: float | None = None
    """Time of copying between host and OpenCL device in a run; None where nothing is copied."""
    transfer_bytes: int = 0
    """What is copied in a run: inputs and outputs."""
    widened: tuple[Widened, ...] = ()
    """Tensors of float16 and bfloat16 that are held and computed as float32."""

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

        kernels = self.details() if self.latency_ms is None else self.kernel_table()
        parts = [self._summary(), Text(), kernels]
        if self.fast_products:
            parts += [Text(), self._product_table()]
        return Group(*parts)

    def _summary(self) -> Table:
        from rich.table import Table

        stages = ", ".join(f"{name} {value:.2f}" for name, value in self.compile_seconds.items())
        gpu = "not used" if self.gpu_utilization is None else f"{self.gpu_utilization:.0%}"
        rows = (
            ("layers", f"{self.layers_before} -> {self.layers_after}"),
            ("computations", f"{self.computations_before} -> {self.computations_after}"),
            ("fused layers", f"{self.fused_layers}"),
            ("fallbacks", f"{self.fallbacks}"),
            ("laws", _laws(self.rewrites)),
            *self._rates(),
            ("GPU utilization", gpu),
            ("transfers", self._transfers()),
            ("memory", f"{self.peak_bytes / 2**20:.1f} MiB"),
            ("compile seconds", stages),
            ("target", f"{self.target} ({' '.join(self.cpu_flags)}), {self.compiler}"),
        )
        table = Table.grid(padding=(0, 2))
        for name, value in rows:
            table.add_row(name, value)
        if self.widened:
            table.add_row("widened", f"{_widened(self.widened)}, to float32")
        return table

    def _rates(self) -> list[tuple[str, str]]:
        threads = ("threads", str(self.thread_choice))
        if self.latency_ms is None or self.cpu_utilization is None:
            return [("latency", f"not measured: {self.target} is not this machine"), threads]
        rate = self.flops / self.latency_ms / 1e6 if self.latency_ms else 0.0
        return [
            ("latency", f"{self.latency_ms:.3f} ms, {self.threads} threads, {self.dtype}"),
            threads,
            ("rate", f"{rate:.1f} GFLOP/s of {self.peak_gflops:.1f} at best"),
            ("memory bandwidth", f"{self.peak_bandwidth:.1f} GB/s at best"),
            ("CPU utilization", f"{self.cpu_utilization:.0%}"),
        ]

    def _transfers(self) -> str:
        if self.transfer_ms is None:
            return "none"
        return f"{self.transfer_ms:.3f} ms, {self.transfer_bytes / 1024:.1f} KiB a run"

    def kernel_table(self) -> Table:
        """The time of each kernel, its part of all, its rate and what bounds it."""
        return time_table(self.kernels)

    def details(self) -> Table:
        """The operations and the schedule of each kernel, and how many schedules were tried."""
        from rich.table import Table
        from rich.text import Text

        table = Table("kernel", "operations", "schedule", box=None, padding=(0, 1))
        table.add_column("tried", justify="right")
        for row in self.kernels:
            texts = (row.name, counted(row.ops), row.variant)
            cells = [Text(text, overflow="fold") for text in texts]
            table.add_row(*cells, str(len(row.variants_tried)))
        return table

    def _product_table(self) -> Table:
        """Products of layers alike in one row, with the largest of their errors."""
        from rich.table import Table

        table = Table("computed as seven products", "size", box=None, padding=(0, 1))
        for heading in ("products", "error", "plain", "largest", "plain"):
            table.add_column(heading, justify="right")
        for (name, size), products in _alike(self.fast_products).items():
            pairs = [(p.error, p.plain_error) for p in products]
            errors = [
                max((of(e) for e in found if e is not None), default=0.0)
                for of in (attrgetter("relative"), attrgetter("largest"))
                for found in zip(*pairs, strict=True)
            ]
            table.add_row(name, size, str(len(products)), *(f"{e:.1e}" for e in errors))
        return table


def _alike(products: Sequence[FastProduct]) -> dict[tuple[str, str], list[FastProduct]]:
    """Products by the names of their weights, numbers of layers left out, and their size."""
    found: dict[tuple[str, str], list[FastProduct]] = {}
    for product in products:
        first, *others = product.weights or ("?",)
        name = re.sub(r"\d+", "*", first) + (f" +{len(others)}" if others else "")
        size = f"{product.rows}x{product.inner}x{product.columns}"
        found.setdefault((name, size), []).append(product)
    return found


def _laws(rewrites: Sequence[Rewrite]) -> str:
    """The laws with how often each was used; a star where rounding changed."""
    parts = [f"{r.law}{'*' if r.changes_rounding else ''} {r.count}" for r in rewrites]
    note = " (* changes rounding)" if any(r.changes_rounding for r in rewrites) else ""
    return ", ".join(parts) + note if parts else "none"


_NAMED = 3
"""Up to so many widened tensors are named in a line."""


def _widened(tensors: Sequence[Widened]) -> str:
    """The tensors that were widened: their names if they are few, and how many of each kind."""
    kinds = Counter((tensor.kind, tensor.dtype) for tensor in tensors)
    parts: list[str] = []
    for (kind, dtype), count in kinds.items():
        names = [t.name for t in tensors if (t.kind, t.dtype) == (kind, dtype)]
        named = f" ({', '.join(names)})" if count <= _NAMED else ""
        parts.append(f"{count} {kind}{'s' if count > 1 else ''} of {dtype}{named}")
    return ", ".join(parts)


def time_table(rows: Sequence[KernelRow], *, bandwidth: bool = False) -> Table:
    """A row a kernel: its time, its part of all, its rates and what bounds it."""
    from rich.table import Table
    from rich.text import Text

    table = Table("kernel", box=None, padding=(0, 1), collapse_padding=True, pad_edge=False)
    memory = ["GB/s"] if bandwidth else []
    for heading in ("calls", "ms", "share", "GFLOP/s", "of peak", *memory, "bound by"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            Text(row.name, overflow="fold"),
            str(row.calls),
            f"{row.ms:.3f}",
            f"{row.share:.0%}",
            f"{row.gflops:.1f}",
            f"{row.peak_fraction:.0%}",
            *([f"{row.gb_per_s:.1f}"] if bandwidth else []),
            bound_by(row),
        )
    return table


def bound_by(row: KernelRow) -> str:
    """What a kernel is near the limit of, in words, if it reaches half of it."""
    if max(row.peak_fraction, row.bandwidth_fraction) < _NEAR:
        return "neither"
    return "memory" if row.bound == "memory" else "multiply-adds"


def counted(ops: Sequence[str]) -> str:
    """The names of operators with how often each occurs."""
    return " ".join(
        name if count == 1 else f"{count}x{name}" for name, count in Counter(ops).items()
    )


def kernel_rows(
    program: Program, profiles: npt.NDArray[np.float64], peaks: Peaks
) -> tuple[KernelRow, ...]:
    """One row a kernel from the seconds of each call (columns) in each run (rows).

    Kernels that are for other lengths than these have none.
    """
    calls = np.asarray(program.calls, np.int64)
    found: list[tuple[KernelSpec, int, float]] = []
    for number, kernel in enumerate(program.kernels):
        if not kernel.runs:
            continue
        mine = calls == number
        seconds = float(np.median(profiles[:, mine].sum(axis=1))) if mine.any() else 0.0
        found.append((kernel, int(mine.sum()), seconds))
    total = sum(seconds for _, _, seconds in found)
    return tuple(_row(*each, total, peaks) for each in found)


def _row(kernel: KernelSpec, calls: int, seconds: float, total: float, peaks: Peaks) -> KernelRow:
    gflops = kernel.flops * calls / seconds / 1e9 if seconds else 0.0
    moved = kernel.bytes * calls / seconds / 1e9 if seconds else 0.0
    of_peak = gflops / peaks.gflops if peaks.gflops else 0.0
    of_memory = moved / peaks.bandwidth if peaks.bandwidth else 0.0
    return KernelRow(
        name=kernel.name,
        ops=kernel.ops,
        variants_tried=kernel.variants_tried or (kernel.variant,),
        variant=kernel.variant,
        ms=seconds * 1e3,
        gflops=gflops,
        peak_fraction=of_peak,
        bandwidth_fraction=of_memory,
        bound="memory" if of_memory > of_peak else "compute",
        calls=calls,
        share=seconds / total if total else 0.0,
        flops=kernel.flops,
        bytes=kernel.bytes,
        gb_per_s=moved,
    )


def total_flops(program: Program) -> int:
    """Floating-point operations of one run."""
    running = (program.kernels[number] for number in program.calls)
    return sum(kernel.flops for kernel in running if kernel.runs)


def fused_layers(program: Program) -> int:
    """Calls of kernels that evaluate more than one operator."""
    running = (program.kernels[number] for number in program.calls)
    return sum(len(kernel.ops) > 1 for kernel in running if kernel.runs)
