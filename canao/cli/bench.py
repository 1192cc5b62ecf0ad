"""Measuring on behalf of the command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from canao.building.cache import Cache
from canao.building.toolchain import find_compiler
from canao.cli.models import Opened
from canao.machine.target import Target, available_cores
from canao.measuring.measure import Latency, interleave
from canao.measuring.peak import measured_peaks
from canao.tuning.choose_threads import thread_counts


@dataclass(frozen=True)
class SideBySide:
    """Latencies of the same model in interleaved runs."""

    latencies: Mapping[str, Latency]
    speedup: float | None
    """Median of PyTorch over median of canao; None without a PyTorch model."""
    error: float | None
    """Largest absolute difference between the results."""


def measure_side_by_side(opened: Opened, *, runs: int, warmup: int) -> SideBySide:
    """Measure a compiled model and, if there is one, the model it was made from."""
    compiled, original, inputs = opened.compiled, opened.original, opened.inputs
    if original is None or inputs is None:
        return SideBySide({"canao": compiled.measure(runs, warmup)}, None, None)
    before = torch.get_num_threads()
    torch.set_num_threads(compiled.threads)
    try:
        with torch.inference_mode():
            error = _largest_difference(original(**inputs), compiled(**inputs))
            calls: dict[str, Callable[[], object]] = {
                "canao": lambda: compiled(**inputs),
                "PyTorch eager": lambda: original(**inputs),
            }
            samples = interleave(calls, rounds=runs, warmup=warmup, pause_seconds=0.02)
    finally:
        torch.set_num_threads(before)
    latencies = {
        name: Latency.of(times, compiled.threads, compiled.dtype, compiled.cpu_flags)
        for name, times in samples.items()
    }
    speedup = latencies["PyTorch eager"].median / latencies["canao"].median
    return SideBySide(latencies, speedup, error)


def _largest_difference(expected: Any, found: Any) -> float:
    """Over all tensors of two Hugging Face outputs."""
    pairs = ((value, found[name]) for name, value in expected.items())
    differences = [
        (a - b).abs().max().item() for a, b in pairs if isinstance(a, torch.Tensor) and a.numel()
    ]
    return max(differences, default=0.0)


def cache_of(cache_dir: Path | None) -> Cache:
    """The cache that a command is told to use."""
    return Cache(cache_dir or os.environ.get("CANAO_CACHE_DIR"))


def describe_processor(cache: Cache) -> dict[str, Any]:
    """What C is made for on this machine, and how fast it can be at best.

    The rates are given for each number of threads that `canao.compile` would try.
    """
    target, cores = Target.host(), available_cores()
    compiler = find_compiler(os.environ.get("CC"))
    unit = target.vector_unit
    counts = thread_counts(cores)
    peaks = {str(n): measured_peaks(compiler, target, cache, n) for n in counts}
    return {
        "cpu": target.cpu,
        "triple": target.triple,
        "cores": cores,
        "vector_unit": unit.name,
        "float32_lanes": unit.lanes_f32,
        "vector_registers": unit.registers,
        "compiler": compiler.version,
        "compiler_command": " ".join(compiler.command),
        "compiler_flags": " ".join(compiler.flags(target)),
        "peak_gflops": {n: round(peak.gflops, 1) for n, peak in peaks.items()},
        "bandwidth_gb_s": {n: round(peak.bandwidth, 1) for n, peak in peaks.items()},
        "cache": str(cache.root),
    }
