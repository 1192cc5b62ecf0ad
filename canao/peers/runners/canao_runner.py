"""canao itself, in the environment that `canao bench` runs in."""

from __future__ import annotations

import os
from typing import Any

from serve import Array, Job, Served, main

import canao


def _options(job: Job) -> dict[str, Any]:
    """The arguments of `canao.compile`."""
    options = dict(job.options)
    device = options.pop("device", None)
    if options.pop("opencl", False):
        return {"target": canao.Target.opencl(device), **options}
    if options.pop("any_length", False):
        options["dynamic_shapes"] = canao.AutoShapes(batch=8, sequence=512)
    if vectors := options.pop("vectors", None):
        options["target"] = canao.Target.host(vectors)
    return {"threads": job.threads, **options}


def _limit_threads(job: Job) -> None:
    """Tells PoCL, before it is loaded, with how many threads to run."""
    if "opencl" in job.options:
        os.environ["POCL_MAX_PTHREAD_COUNT"] = str(job.threads)


def convert(job: Job) -> None:
    """Compiles for the threads of the job and saves the result."""
    from source_model import load_source, torch_inputs

    _limit_threads(job)

    compiled = canao.compile(load_source(job, "sdpa"), torch_inputs(job), **_options(job))
    compiled.save(job.converted / "model")


def load(job: Job) -> Served:
    """The saved model."""
    _limit_threads(job)
    compiled = canao.load(job.converted / "model")
    from source_model import torch_inputs

    inputs = torch_inputs(job)

    def take(other: Job) -> None:
        nonlocal inputs
        inputs = torch_inputs(other)

    def run() -> Any:
        return compiled(*inputs)

    def outputs(result: Any) -> list[Array]:
        return [tensor.numpy() for tensor in result]

    return Served(run, outputs, take)


main(load, convert)
