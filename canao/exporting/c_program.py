"""Writing a model as a C program that needs nothing of canao."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from canao.building.toolchain import GCC_OPTIONS
from canao.exporting.build_files import (
    compiler_needed,
    compiler_text,
    filled,
    sizes_note,
    usual_arguments,
)
from canao.exporting.features import asked_text, needs_text
from canao.exporting.header import MODEL as KIND
from canao.exporting.header import USUAL_NAME, check_name, exporting_text, model_header, renamed
from canao.exporting.interface import KERNELS, SYSTEM, from_c, main_text, model_text
from canao.exporting.metadata import metadata_text
from canao.exporting.tables import sizes_text, tables_text
from canao.exporting.weight_file import NAME, write_weights
from canao.files import replace_text
from canao.machine.target import Target
from canao.program import Program
from canao.runtime.module import Array

_ASKING = {
    "parts": " answering tokenizer",
    "sources": " answering.c tokenizer.c",
    "data": " tokenizer.bin",
}
"""What is built beside the model of a program that answers questions."""


def export_program(
    program: Program,
    weights: Sequence[Array],
    directory: Path,
    *,
    threads: int,
    target: Target,
    name: str = USUAL_NAME,
    asks: bool = False,
) -> Path:
    """Write model.h, model.c, kernels.c, main.c, weights.bin, metadata.json and what builds them.

    The code was made for `target`, and runs with `threads` threads unless it is told
    otherwise. Functions are called `{name}_model_open` and so on. One that `asks` is built with
    what answers questions, which the caller lays beside it with a `main.c` of its own.
    """
    check_name(name)
    written = write_weights(directory / NAME, program, weights)
    tables = [
        *tables_text(program, written, arena_bytes=program.arena_bytes),
        *sizes_text(program),
    ]
    texts = {
        "model.h": model_header(program, threads, "A model compiled by canao."),
        "model.c": model_text(
            tables,
            processor=[*asked_text(), exporting_text("processor.c")],
            kernels=from_c(),
            parts=["run.c"],
        ),
        "kernels.c": kernels_text(program),
        **({} if asks else {"main.c": main_text("main.c")}),
    }
    for file, text in texts.items():
        replace_text(directory / file, renamed(text, name))
    replace_text(directory / "metadata.json", metadata_text(program, written, threads))
    if asks:
        write_build(directory, target, f"{name}_{KIND}", _ASKING, readme="README.ask.in")
        return directory
    values = {"arguments": usual_arguments(program), "sizes": sizes_note(program)}
    write_build(directory, target, f"{name}_{KIND}", values, readme="README.c.in")
    return directory


def kernels_text(program: Program) -> str:
    """`kernels.c`: the emitted unit, and what it needs of the processor."""
    return "\n".join([SYSTEM, KERNELS, program.source, *needs_text(), ""])


def write_build(
    directory: Path, target: Target, library: str, values: Mapping[str, str], *, readme: str
) -> None:
    """Write the Makefile, CMakeLists.txt and README.md."""
    unit = target.vector_unit
    values = {
        "compiler": compiler_text(target),
        "needs": compiler_needed(target),
        "options": " ".join((*GCC_OPTIONS, *unit.gcc_options)),
        "lanes": str(unit.lanes_f32),
        "library": library,
        **dict.fromkeys(_ASKING, ""),
        **values,
    }
    replace_text(directory / "Makefile", filled("Makefile.c.in", values))
    replace_text(directory / "CMakeLists.txt", filled("CMakeLists.c.in", values))
    replace_text(directory / "README.md", filled(readme, values))
