"""The child process that compiles one candidate and measures it."""

from __future__ import annotations

import sys
from typing import Any

from canao.nas.architecture import Architecture
from canao.nas.isolate import Job, child_main

_KERNEL = ("name", "variant", "calls", "ms", "gflops", "peak_fraction", "ops")


def compile_and_measure(job: Job) -> dict[str, Any]:
    """The execution of the architecture of a job, as values that JSON has."""
    from transformers import BertConfig

    from canao.nas.compiling import compile_for
    from canao.nas.training.sized_bert import build_model

    base = BertConfig(max_position_embeddings=max(512, int(job["sequence"])))
    model = build_model(Architecture.from_mapping(job["architecture"]), base=base, labels=2)
    compiled = compile_for(model, job, job["cache_dir"])
    latency = compiled.measure(runs=int(job["runs"]))
    report = compiled.report
    return {
        "latency_ms": latency.median,
        "fused_layers": report.fused_layers,
        "layers": report.layers_after,
        "cpu_utilization": report.cpu_utilization,
        "gpu_utilization": report.gpu_utilization,
        "peak_bytes": report.peak_bytes,
        "flops": report.flops,
        "threads": latency.threads,
        "compile_seconds": sum(report.compile_seconds.values()),
        "target": report.target,
        "kernels": [{name: getattr(row, name) for name in _KERNEL} for row in report.kernels],
    }


if __name__ == "__main__":
    sys.exit(child_main(compile_and_measure, sys.argv[1:]))
