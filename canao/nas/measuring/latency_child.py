"""The child process that compiles candidates and measures them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any

from canao.nas.isolate import Job, child_main
from canao.nas.space.architecture import Architecture

if TYPE_CHECKING:
    from canao.compiled_model import CompiledModel
    from canao.measuring.measure import Latency

_KERNEL = ("name", "variant", "calls", "ms", "gflops", "peak_fraction", "ops")


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
        rounds = range(int(job["turns"]))
        turns = [[model.measure(runs=int(job["runs"])) for model in models] for _ in rounds]
        rows = zip(models, zip(*turns, strict=True), strict=True)
        return {"executions": [_execution(compiled, latencies) for compiled, latencies in rows]}


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
