"""The paper's Table 1 on this machine, with the paper's figures beside ours."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from canao.errors import CanaoError
from canao.peers.catalogue import find_peers, on_device
from canao.peers.compare import Plan, Progress, compare
from canao.peers.comparison import Comparison
from canao.peers.paper import TABLE_1, PaperRow
from canao.peers.table import conditions, count, markdown_table, number

RUNS = 100
_BURST = 4
_PEERS = ("litert", "canao-unfused", "canao")
_ON_DEVICE = ("canao-opencl-unfused", "canao-opencl")
NO_DEVICE = "no device"
"""What stands in the columns of a GPU where there is none."""


@dataclass(frozen=True)
class Table1Row:
    """A model with a number of threads; milliseconds, None where it could not be measured."""

    title: str
    model: str
    gflops: float
    """Floating-point operations of the products, in billions."""
    threads: int
    litert_cpu: float | None
    unfused_cpu: float | None
    unfused_gpu: float | None
    fused_cpu: float | None
    fused_gpu: float | None
    failures: dict[str, str]

    def speedup(self, column: str) -> float | None:
        """LiteRT's time over that of a column."""
        mine: float | None = getattr(self, column)
        return self.litert_cpu / mine if self.litert_cpu and mine else None


@dataclass(frozen=True)
class Table1:
    """The rows, the paper's, and the comparison that they come from."""

    rows: tuple[Table1Row, ...]
    paper: tuple[PaperRow, ...]
    comparison: Comparison
    device: str = ""
    """The OpenCL device whose times stand in the columns of the GPU; none if empty."""

    def to_dict(self) -> dict[str, Any]:
        """All fields and the speed-ups, as JSON has them."""
        rows = [
            asdict(row) | {"speedups": {column: row.speedup(column) for column in _COLUMNS}}
            for row in self.rows
        ]
        paper = [asdict(row) | {"speedups": dict(row.speedups())} for row in self.paper]
        found = {"rows": rows, "paper": paper, "comparison": self.comparison.to_dict()}
        return found | {"device": self.device}

    def to_markdown(self) -> str:
        """The table as the paper has it, ours above the paper's."""
        headings = ["model", "threads", "GFLOPs", "LiteRT CPU", *_COLUMNS.values()]
        ours = [self._our_cells(row) for row in self.rows]
        theirs = [_paper_cells(row) for row in self.paper]
        reasons = [
            f"- {row.title}, {count(row.threads, 'thread')}, {name}: {reason}"
            for row in self.rows
            for name, reason in row.failures.items()
        ]
        parts = [
            "# Table 1 of the paper",
            "Latency in milliseconds, with the speed-up over LiteRT on the CPU. "
            "Operations are those of the products.",
            "## Here",
            conditions(self.comparison),
            *([f"The columns of the GPU are from OpenCL on {self.device}."] if self.device else []),
            markdown_table(headings, ours),
            *(["\n".join(reasons)] if reasons else []),
            "## In the paper",
            "Samsung Galaxy S20 (Snapdragon 865), TensorFlow Lite, sequence 128. The paper's third "
            "model was found by search and its sizes are not given; here it is 6 layers of "
            "hidden size 512 with 8 heads and intermediate size 1920.",
            markdown_table(headings, theirs),
        ]
        return "\n\n".join(parts) + "\n"

    def _our_cells(self, row: Table1Row) -> list[str]:
        cells = [row.title, str(row.threads), f"{row.gflops:.1f}", number(row.litert_cpu, ".1f")]
        missing = dict.fromkeys(_COLUMNS, "failed")
        if not self.device:
            missing |= {name: NO_DEVICE for name in _COLUMNS if name.endswith("gpu")}
        return cells + [
            _timed(getattr(row, name), row.speedup(name), missing[name]) for name in _COLUMNS
        ]


_COLUMNS = {
    "unfused_cpu": "canao without fusion, CPU",
    "unfused_gpu": "without fusion, GPU",
    "fused_cpu": "canao with fusion, CPU",
    "fused_gpu": "with fusion, GPU",
}


def _timed(milliseconds: float | None, speedup: float | None, missing: str) -> str:
    if milliseconds is None:
        return missing
    return f"{milliseconds:.1f}" + (f" ({speedup:.1f}x)" if speedup else "")


def _paper_cells(row: PaperRow) -> list[str]:
    speedups = row.speedups()
    cells = [row.title, "8", f"{row.gflops:.1f}", f"{row.litert_cpu:.0f}"]
    return cells + [f"{getattr(row, name):.0f} ({speedups[name]:.1f}x)" for name in _COLUMNS]


def measure_table1(
    home: Path,
    *,
    threads: tuple[int, ...],
    runs: int = RUNS,
    device: str | None = None,
    progress: Progress,
) -> Table1:
    """Measure the paper's models on LiteRT and on canao with and without fusion.

    `device` is the OpenCL device of the columns of the GPU: the first if None.
    Without any, these columns stay empty, unless one was asked for by name.
    """
    found = _device(device)
    others = find_peers(_ON_DEVICE) if found else []
    plan = Plan(
        models=[row.model for row in TABLE_1],
        peers=[*find_peers(_PEERS), *(on_device(peer, device) for peer in others)],
        threads=threads,
        rounds=-(-runs // _BURST),
        burst=_BURST,
    )
    return table1_of(compare(plan, home, progress), found)


def _device(wanted: str | None) -> str:
    """The name and kind of a device; empty where there is none."""
    from canao.machine.opencl_devices import choose_device

    try:
        device = choose_device(wanted)
    except CanaoError:
        if wanted is not None:
            raise
        return ""
    return f"{device.name} ({device.kind}, {device.platform})"


def table1_of(comparison: Comparison, device: str = "") -> Table1:
    """The table of a comparison that has its models and peers."""
    flops = {work.model: work.product_flops for work in comparison.workloads}
    rows = [
        _row(paper, comparison, threads, flops[paper.model])
        for paper in TABLE_1
        for threads in comparison.peak_gflops
    ]
    return Table1(tuple(rows), TABLE_1, comparison, device)


def _row(paper: PaperRow, comparison: Comparison, threads: int, flops: int) -> Table1Row:
    peers = (*_PEERS, *_ON_DEVICE)
    found = {peer: comparison.row(paper.model, threads, peer) for peer in peers}
    medians = {peer: row.median_ms if row else None for peer, row in found.items()}
    return Table1Row(
        title=paper.title if paper.title != "CANAOBERT" else "CANAOBERT-sized",
        model=paper.model,
        gflops=flops / 1e9,
        threads=threads,
        litert_cpu=medians["litert"],
        unfused_cpu=medians["canao-unfused"],
        unfused_gpu=medians["canao-opencl-unfused"],
        fused_cpu=medians["canao"],
        fused_gpu=medians["canao-opencl"],
        failures={row.title: row.failure for row in found.values() if row and row.failure},
    )
