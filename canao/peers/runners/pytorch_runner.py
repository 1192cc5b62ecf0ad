"""PyTorch, eager or compiled by inductor."""

from __future__ import annotations

from typing import Any

import torch
from serve import Array, Job, Served, main
from source_model import load_source, torch_inputs


def load(job: Job) -> Served:
    """The model with SDPA attention; compiled with its weights frozen if asked for.

    Sizes of 1 are specialised by PyTorch: there its code is for one length.
    """
    torch.set_num_threads(job.threads)
    model: Any = load_source(job, "sdpa")
    inputs = torch_inputs(job)
    if job.options.get("compile"):
        import torch._inductor.config as settings

        # Frozen weights are packed for oneDNN's products.
        settings.freezing = True
        model = torch.compile(model, dynamic=True if job.options.get("any_length") else None)

    def take(other: Job) -> None:
        nonlocal inputs
        inputs = torch_inputs(other)

    def run() -> Any:
        with torch.inference_mode():
            return model(*inputs)

    def outputs(result: Any) -> list[Array]:
        return [tensor.numpy() for tensor in result]

    return Served(run, outputs, take)


main(load)
