"""TVM, with its default schedules: nothing is tuned."""

# Installed in the peer's own environment.
# pyright: reportMissingImports=false

from __future__ import annotations

import os
from typing import Any

from serve import Array, Job, Served, main


def convert(job: Job) -> None:
    """Imports the exported program into Relax and compiles it for this processor."""
    import torch
    import tvm
    from source_model import load_source, torch_inputs
    from tvm import relax
    from tvm.relax.frontend.torch import from_exported_program

    with torch.no_grad():
        exported = torch.export.export(load_source(job, "eager"), torch_inputs(job), strict=False)
    module = from_exported_program(exported, keep_params_as_input=False)
    target = tvm.target.Target({"kind": "llvm", "mcpu": tvm.target.codegen.llvm_get_system_cpu()})
    pipeline = tvm.ir.transform.Sequential(
        [relax.get_pipeline("zero"), relax.get_default_pipeline(target)]
    )
    built = tvm.compile(module, target=target, relax_pipeline=pipeline)
    built.export_library(str(job.converted / "model.so"))


def load(job: Job) -> Served:
    """The library in Relax's virtual machine; an environment variable sets its threads."""
    os.environ["TVM_NUM_THREADS"] = str(job.threads)
    import tvm
    from tvm import relax

    machine: Any = relax.VirtualMachine(
        tvm.runtime.load_module(str(job.converted / "model.so")), tvm.cpu()
    )
    inputs = [tvm.runtime.tensor(array) for array in job.inputs().values()]

    def run() -> Any:
        return machine["main"](*inputs)

    def outputs(result: Any) -> list[Array]:
        return [part.numpy() for part in result]

    return Served(run, outputs)


main(load, convert)
