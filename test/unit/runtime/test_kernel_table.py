"""The kernels of a report on narrow and wide terminals."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from canao.report.execution_report import ExecutionReport, KernelRow

NAME = "linear_add_layer_norm_1536x384"


def _row(
    name: str,
    ops: tuple[str, ...],
    tried: tuple[str, ...],
    variant: str,
    ms: float,
    gflops: float,
    peak: float,
    bound: str,
    calls: int,
) -> KernelRow:
    rates: Any = {"share": ms / 4, "flops": 1, "bytes": 1, "gb_per_s": 1.0}
    return KernelRow(name, ops, tried, variant, ms, gflops, peak, 0.2, bound, calls, **rates)


def printed(width: int, *, details: bool = False) -> str:
    rows = (
        _row(NAME, ("canao.matmul",), ("a", "b"), "band1x2/[x]", 3.0, 99.5, 0.9, "compute", 12),
        _row("softmax_128", ("canao.softmax",), (), "band", 1.0, 2.0, 0.1, "memory", 6),
    )
    report: Any = SimpleNamespace(kernels=rows)
    shown = io.StringIO()
    table = ExecutionReport.details(report) if details else ExecutionReport.kernel_table(report)
    Console(file=shown, width=width).print(table)
    return shown.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_a_kernel_has_a_line(width: int) -> None:
    heading, first, second = (line.split() for line in printed(width).splitlines())
    assert heading == ["kernel", "calls", "ms", "share", "GFLOP/s", "of", "peak", "bound", "by"]
    assert first == [NAME, "12", "3.000", "75%", "99.5", "90%", "multiply-adds"]
    assert second == ["softmax_128", "6", "1.000", "25%", "2.0", "10%", "neither"]


def test_details_are_whole_at_any_width() -> None:
    assert "band1x2/[x]" in printed(120, details=True)
    assert "..." not in printed(80, details=True)
