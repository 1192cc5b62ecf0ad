"""Writing a model in the language of its target."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from canao.errors import UnsupportedModelError
from canao.exporting.answering.answering_program import Asking, export_answering
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
    use: DecoderStep | Asking | None = None,
) -> Path:
    """Write a program in C, or for OpenCL; the directory.

    `use` says which inputs and outputs are those of a decoder, whose program writes tokens, or of
    a model that answers questions. `UnsupportedModelError` for these on an OpenCL device.
    """
    if target.device is not None:
        if use is not None:
            kind = "generator" if isinstance(use, DecoderStep) else "model that answers questions"
            raise UnsupportedModelError(
                f"a {kind} for an OpenCL device cannot be exported; compile it with target='c'"
            )
        return export_opencl(program, weights, directory, target.device, name=name)
    if use is None:
        return export_program(
            program, weights, directory, threads=threads, target=target, name=name
        )
    if isinstance(use, Asking):
        return export_answering(
            program, weights, directory, use, threads=threads, target=target, name=name
        )
    return export_decoder(
        program, weights, directory, use, threads=threads, target=target, name=name
    )
