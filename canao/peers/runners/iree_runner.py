"""IREE, compiled ahead of time for this processor."""

# Installed in the peer's own environment.
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

import numpy as np
from serve import Array, Job, Served, main

_FLAGS = (
    "--iree-llvmcpu-target-cpu=host",
    "--iree-opt-level=O3",
    "--iree-input-demote-i64-to-i32=false",
)


def convert(job: Job) -> None:
    """Exports through iree-turbine; weights become constants of the module."""
    import torch
    from iree.compiler import compile_file
    from iree.turbine import aot
    from source_model import load_source, torch_inputs

    class WithFloatMask(torch.nn.Module):
        """Makes the mask that the model would make, which has a literal IREE cannot lower."""

        def __init__(self) -> None:
            super().__init__()
            self.model = load_source(job, "sdpa")

        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
            kept = mask[:, None, None, :].to(torch.float32)
            return self.model(ids, (1.0 - kept) * torch.finfo(torch.float32).min)

    with torch.no_grad():
        exported = torch.export.export(WithFloatMask(), torch_inputs(job), strict=False)
    text = job.converted / "model.mlirbc"
    aot.export(exported).save_mlir(str(text))
    compile_file(
        str(text),
        target_backends=["llvm-cpu"],
        extra_args=list(_FLAGS),
        output_file=str(job.converted / "model.vmfb"),
    )
    text.unlink()


def load(job: Job) -> Served:
    """The module on the task system, with `threads` workers."""
    from iree import runtime as rt

    rt.flags.parse_flags(f"--task_topology_group_count={job.threads}")
    device = rt.get_device("local-task")
    config = rt.Config(device=device)
    path = str(job.converted / "model.vmfb")
    module: Any = rt.load_vm_module(rt.VmModule.mmap(config.vm_instance, path), config)
    arrays = [rt.asdevicearray(device, array) for array in job.inputs().values()]

    def run() -> Any:
        result = module.main(*arrays)
        # Execution is asynchronous: reading the result waits for its end.
        return [part.to_host() for part in result]

    def outputs(result: Any) -> list[Array]:
        return [np.asarray(part) for part in result]

    return Served(run, outputs)


main(load, convert)
