"""ExecuTorch with XNNPACK."""

# Installed in the peer's own environment.
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

from serve import Array, Job, Served, main


def convert(job: Job) -> None:
    """Exports, hands to XNNPACK what it takes, and writes the program."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from source_model import load_source, torch_inputs

    exported = torch.export.export(load_source(job, "sdpa"), torch_inputs(job), strict=False)
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    program = lowered.to_executorch()
    with (job.converted / "model.pte").open("wb") as file:
        program.write_to_file(file)


def load(job: Job) -> Served:
    """The program in a pool of `threads` threads; only a private call sets their number."""
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime
    from source_model import torch_inputs

    portable_lib._unsafe_reset_threadpool(job.threads)
    method: Any = (
        Runtime.get().load_program(str(job.converted / "model.pte")).load_method("forward")
    )
    inputs = torch_inputs(job)

    def run() -> Any:
        return method.execute(inputs)

    def outputs(result: Any) -> list[Array]:
        return [tensor.numpy() for tensor in result]

    return Served(run, outputs)


main(load, convert)
