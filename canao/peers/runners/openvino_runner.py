"""OpenVINO, told to compute in float32."""

# Installed in the peer's own environment.
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

import openvino as ov
from serve import Array, Job, Served, main
from source_model import load_source, torch_inputs


def convert(job: Job) -> None:
    """Writes the IR with float32 weights; shapes are set when it is loaded, or stay open."""
    model = ov.convert_model(load_source(job, "sdpa"), example_input=torch_inputs(job))
    if job.options.get("any_length"):
        model.reshape({number: [-1, -1] for number in range(len(job.inputs()))})
    ov.save_model(model, job.converted / "model.xml", compress_to_fp16=False)


def load(job: Job) -> Served:
    """One latency stream of `threads` threads; static shapes unless all lengths are asked for."""
    core = ov.Core()
    model = core.read_model(job.converted / "model.xml")
    inputs = list(job.inputs().values())
    if not job.options.get("any_length"):
        model.reshape({number: array.shape for number, array in enumerate(inputs)})
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": job.threads,
        "NUM_STREAMS": 1,
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()

    def take(other: Job) -> None:
        nonlocal inputs
        inputs = list(other.inputs().values())

    def run() -> Any:
        return request.infer(inputs)

    def outputs(result: Any) -> list[Array]:
        return list(result.values())

    return Served(run, outputs, take if job.options.get("any_length") else None)


main(load, convert)
