"""canao itself, in the environment that `canao bench` runs in."""

from __future__ import annotations

from typing import Any

from serve import Array, Job, Served, main

import canao


def convert(job: Job) -> None:
    """Compiles for the threads of the job and saves the result."""
    from source_model import load_source, torch_inputs

    compiled = canao.compile(
        load_source(job, "sdpa"), torch_inputs(job), threads=job.threads, **job.options
    )
    compiled.save(job.converted / "model")


def load(job: Job) -> Served:
    """The saved model."""
    compiled = canao.load(job.converted / "model")
    from source_model import torch_inputs

    inputs = torch_inputs(job)

    def run() -> Any:
        return compiled(*inputs)

    def outputs(result: Any) -> list[Array]:
        return [tensor.numpy() for tensor in result]

    return Served(run, outputs)


main(load, convert)
