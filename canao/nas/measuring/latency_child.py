"""The child process that compiles candidates and measures them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any

from canao.building.cache import Cache
from canao.devices.device import INSTRUCTIONS, Limits
from canao.devices.measure_programs import Request
from canao.devices.specs import open_device
from canao.nas.isolate import Job, child_main
from canao.nas.measuring.device import program_device
from canao.nas.space.architecture import Architecture
from canao.report.execution_report import fused_layers, total_flops
from canao.report.on_device import measure_on

if TYPE_CHECKING:
    from canao.compiled_model import CompiledModel
    from canao.measuring.measure import Latency

_KERNEL = ("name", "variant", "calls", "ms", "gflops", "peak_fraction", "ops")
_ROUNDS = 3
"""Rounds on a device that runs programs, which start anew in each."""


def compile_and_measure(job: Job) -> dict[str, Any]:
    """The executions of the architectures of a job, as values that JSON has.

    Each is measured `turns` times; they take turns, and the medians count.
    """
    from transformers import BertConfig

    from canao.nas.measuring.compiling import compile_for
    from canao.nas.models.sized_bert import build_model

    base = BertConfig(max_position_embeddings=max(512, int(job["sequence"])))
    wanted = [Architecture.from_mapping(sizes) for sizes in job["architectures"]]
    with ExitStack() as stack:
        models = [
            compile_for(build_model(one, base=base, labels=2), job, job["cache_dir"])
            for one in wanted
        ]
        for compiled in models:
            stack.callback(compiled.close)
        device = program_device(job)
        if device is not None:
            return {"executions": _on_device(models, device, job)}
        rounds = range(int(job["turns"]))
        turns = [[model.measure(runs=int(job["runs"])) for model in models] for _ in rounds]
        rows = zip(models, zip(*turns, strict=True), strict=True)
        return {"executions": [_execution(compiled, latencies) for compiled, latencies in rows]}


def _on_device(models: Sequence[CompiledModel], spec: str, job: Job) -> list[dict[str, Any]]:
    """What exported programs cost on a device; of kernels nothing is known there."""
    limits = Limits(seconds=float(job["time_limit"]))
    device = open_device(spec, Cache(job["cache_dir"]), limits)
    request = Request(runs=int(job["runs"]), rounds=max(_ROUNDS, int(job["turns"])))
    found = measure_on({str(n): model for n, model in enumerate(models)}, device, request)
    rows: list[dict[str, Any]] = []
    for model, measured in zip(models, found.values(), strict=True):
        figure = measured.figure
        counted = figure.unit == INSTRUCTIONS
        rows.append(
            {
                "latency_ms": None if counted else figure.cost,
                "instructions": figure.cost if counted else None,
                "fused_layers": fused_layers(model.program),
                "layers": model.program.counts.layers_after,
                "cpu_utilization": None,
                "peak_bytes": model.peak_bytes,
                "flops": total_flops(model.program),
                "threads": figure.threads,
                "compile_seconds": sum(model.compile_seconds.values()),
                "target": f"{model.build.target.title} on {figure.device}",
            }
        )
    return rows


def _execution(compiled: CompiledModel, latencies: Sequence[Latency]) -> dict[str, Any]:
    report = compiled.report
    return {
        "latency_ms": median(latency.median for latency in latencies),
        "fused_layers": report.fused_layers,
        "layers": report.layers_after,
        "cpu_utilization": report.cpu_utilization,
        "gpu_utilization": report.gpu_utilization,
        "peak_bytes": report.peak_bytes,
        "flops": report.flops,
        "threads": latencies[-1].threads,
        "compile_seconds": sum(report.compile_seconds.values()),
        "target": report.target,
        "kernels": [{name: getattr(row, name) for name in _KERNEL} for row in report.kernels],
    }


if __name__ == "__main__":
    sys.exit(child_main(compile_and_measure, sys.argv[1:]))
