"""Writing a model as a C program that needs nothing of canao."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from canao.building.toolchain import GCC_OPTIONS
from canao.exporting.build_files import filled, sizes_note, usual_arguments
from canao.exporting.features import asked_text, needs_text
from canao.exporting.header import MODEL as KIND
from canao.exporting.header import USUAL_NAME, check_name, exporting_text, model_header, renamed
from canao.exporting.interface import KERNELS, SYSTEM, from_c, main_text, model_text
from canao.exporting.metadata import metadata_text
from canao.exporting.tables import sizes_text, tables_text
from canao.exporting.weight_file import NAME, write_weights
from canao.files import replace_text
from canao.machine.processor import VectorUnit
from canao.program import Program
from canao.runtime.module import Array


def export_program(
    program: Program,
    weights: Sequence[Array],
    directory: Path,
    *,
    threads: int,
    unit: VectorUnit,
    name: str = USUAL_NAME,
) -> Path:
    """Write model.h, model.c, kernels.c, main.c, weights.bin, metadata.json and what builds them.

    The code was made for the vectors of `unit`, and runs with `threads` threads unless it is told
    otherwise. Functions are called `{name}_model_open` and so on.
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
        "main.c": main_text("main.c"),
    }
    for file, text in texts.items():
        replace_text(directory / file, renamed(text, name))
    replace_text(directory / "metadata.json", metadata_text(program, written, threads))
    values = {
        "arguments": usual_arguments(program),
        "sizes": sizes_note(program),
    }
    write_build(directory, unit, f"{name}_{KIND}", values, readme="README.c.in")
    return directory


def kernels_text(program: Program) -> str:
    """`kernels.c`: the emitted unit, and what it needs of the processor."""
    return "\n".join([SYSTEM, KERNELS, program.source, *needs_text(), ""])


def write_build(
    directory: Path, unit: VectorUnit, library: str, values: dict[str, str], *, readme: str
) -> None:
    """Write the Makefile, CMakeLists.txt and README.md."""
    values = {
        "options": " ".join((*GCC_OPTIONS, *unit.gcc_options)),
        "lanes": str(unit.lanes_f32),
        "library": library,
        **values,
    }
    replace_text(directory / "Makefile", filled("Makefile.c.in", values))
    replace_text(directory / "CMakeLists.txt", filled("CMakeLists.c.in", values))
    replace_text(directory / "README.md", filled(readme, values))
