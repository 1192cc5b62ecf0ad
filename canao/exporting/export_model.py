"""Writing a model in the language of its target."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from canao.errors import UnsupportedModelError
from canao.exporting.c_program import export_program
from canao.exporting.decoder_program import DecoderStep, export_decoder
from canao.exporting.opencl_program import export_opencl
from canao.machine.target import Target
from canao.program import Program
from canao.runtime.module import Array


def export_model(
    program: Program,
    weights: Sequence[Array],
    directory: Path,
    target: Target,
    *,
    threads: int,
    name: str,
    step: DecoderStep | None = None,
) -> Path:
    """Write a program in C, or for OpenCL; the directory.

    `step` says which inputs and outputs are those of a decoder: then the program
    writes tokens. `UnsupportedModelError` for a decoder on an OpenCL device.
    """
    if target.device is not None:
        if step is not None:
            raise UnsupportedModelError(
                "a generator for an OpenCL device cannot be exported; compile it with target='c'"
            )
        return export_opencl(program, weights, directory, target.device, name=name)
    unit = target.vector_unit
    if step is None:
        return export_program(program, weights, directory, threads=threads, unit=unit, name=name)
    return export_decoder(program, weights, directory, step, threads=threads, unit=unit, name=name)
