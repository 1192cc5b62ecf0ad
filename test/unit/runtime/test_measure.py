"""Latencies and reports."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest

from canao.measuring.measure import Latency, interleave, percentile, time_calls
from canao.measuring.peak import Peaks
from canao.program import Program
from canao.report.execution_report import ExecutionReport, fused_layers, kernel_rows, total_flops
from canao.tuning.choose_threads import ThreadChoice


def test_latency_of_known_samples() -> None:
    latency = Latency.of([float(n) for n in range(100, 0, -1)], 2, "float32", ("avx2", "fma"))
    assert (latency.median, latency.min, latency.p90, latency.p99) == (50.5, 1.0, 90.0, 99.0)
    assert json.loads(latency.to_json())["cpu_flags"] == ["avx2", "fma"]
    assert "50.500 ms median" in str(latency)
    assert "2 threads" in str(latency)


def test_percentile_of_one_sample() -> None:
    assert percentile([4.0], 1) == percentile([4.0], 99) == 4.0


def test_calls_are_interleaved() -> None:
    order: list[str] = []
    calls = {name: (lambda name=name: order.append(name)) for name in "ab"}
    samples = interleave(calls, rounds=3, warmup=1)
    assert order == [*"ab", *"abbaab"]
    assert {name: len(times) for name, times in samples.items()} == {"a": 3, "b": 3}


def test_no_runs_make_no_latency() -> None:
    with pytest.raises(ValueError, match="at least one run"):
        time_calls(lambda: None, 0, 0)


def report(program: Program) -> ExecutionReport:
    profiles = np.array([[1e-6, 3e-6], [2e-6, 4e-6], [3e-6, 5e-6]])
    return ExecutionReport(
        layers_before=3,
        layers_after=2,
        computations_before=3,
        computations_after=2,
        fused_layers=fused_layers(program),
        fallbacks=0,
        flops=total_flops(program),
        latency_ms=0.006,
        cpu_utilization=0.5,
        gpu_utilization=None,
        peak_bytes=1 << 20,
        compile_seconds={"export": 1.5, "build": 0.25},
        kernels=kernel_rows(program, profiles, Peaks(1.0, 4.0)),
        threads=2,
        thread_choice=ThreadChoice(2, "measured", {"1": 9.0, "2": 6.0}),
        dtype="float32",
        target="x86_64-linux-gnu",
        compiler="gcc 12",
        cpu_flags=("avx2",),
        peak_gflops=1.0,
        peak_bandwidth=4.0,
    )


def test_report(make_program: Callable[..., Program]) -> None:
    made = report(make_program())
    assert made.fused_layers == 1
    scale, shift = made.kernels
    assert scale.ms == pytest.approx(2e-3)
    assert scale.gflops == pytest.approx(33 * 16 / 2e-6 / 1e9)
    assert scale.peak_fraction == pytest.approx(scale.gflops)
    assert scale.bandwidth_fraction == pytest.approx(8 * 33 * 16 / 2e-6 / 1e9 / 4)
    assert scale.bound == "memory"
    assert scale.variants_tried == ("rows",)
    assert shift.variants_tried == ("rows", "columns")
    data = json.loads(made.to_json())
    assert data["kernels"][1]["ops"] == ["add", "reverse"]
    assert data["compile_seconds"] == {"export": 1.5, "build": 0.25}
    text = str(made)
    for part in (
        "3 -> 2",
        "shift",
        "50%",
        "export 1.50",
        "GFLOP/s",
        "memory",
        "2, measured (1: 9.000 ms",
    ):
        assert part in text


def test_what_bounds_a_kernel(make_program: Callable[..., Program]) -> None:
    program, profiles = make_program(), np.full((1, 2), 1e-6)
    (near_peak, _) = kernel_rows(program, profiles, Peaks(1.0, 100.0))
    assert near_peak.bound == "compute"
    (unknown, _) = kernel_rows(program, profiles, Peaks())
    assert (unknown.peak_fraction, unknown.bandwidth_fraction) == (0.0, 0.0)
