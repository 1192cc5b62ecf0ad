"""LiteRT (TensorFlow Lite) with XNNPACK."""

# Installed in the peer's own environment.
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

import numpy as np
from serve import Array, Job, Served, main


def convert(job: Job) -> None:
    """Converts through torch.export; int64 inputs become int32."""
    import litert_torch
    from source_model import load_source, torch_inputs

    edge = litert_torch.convert(load_source(job, "sdpa"), torch_inputs(job))
    edge.export(str(job.converted / "model.tflite"))


def load(job: Job) -> Served:
    """An interpreter with `threads` threads; XNNPACK is its default delegate."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter: Any = Interpreter(
        model_path=str(job.converted / "model.tflite"), num_threads=job.threads
    )
    interpreter.allocate_tensors()
    # Inputs are named args_0, args_1, ... in the order of the call.
    details = sorted(interpreter.get_input_details(), key=lambda detail: detail["name"])
    places = [int(detail["index"]) for detail in interpreter.get_output_details()]
    arrays = [
        (int(detail["index"]), np.ascontiguousarray(array.astype(detail["dtype"])))
        for detail, array in zip(details, job.inputs().values(), strict=True)
    ]

    def run() -> None:
        for index, array in arrays:
            interpreter.set_tensor(index, array)
        interpreter.invoke()

    def outputs(result: object) -> list[Array]:
        return [interpreter.get_tensor(index) for index in places]

    return Served(run, outputs)


main(load, convert)
