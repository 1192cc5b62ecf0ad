"""Texts beside the code of an exported program: how it is built and what it takes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from canao.exporting.header import exporting_text
from canao.exporting.tables import from_files
from canao.program import Program


def filled(name: str, values: Mapping[str, str]) -> str:
    """A text of `canao/exporting/support` with `@name@` replaced."""
    text = exporting_text(name)
    for key, value in values.items():
        text = text.replace(f"@{key}@", value)
    return text


def usual_arguments(program: Program) -> str:
    """The arguments of the program, as one would type them."""
    sizes = [f"--size {shlex.quote(symbol.name)}={symbol.high}" for symbol in program.symbols]
    inputs = [f"in{n}.bin" for n in range(len(from_files(program)))]
    outputs = [f"out{n}.bin" for n in range(len(program.outputs))]
    return " ".join((*sizes, *inputs, *outputs))


def sizes_note(program: Program) -> str:
    """What a README says of dimensions that vary; empty where none do."""
    if not program.symbols:
        return ""
    ranges = ", ".join(f"`{s.name}` from {s.low} to {s.high}" for s in program.symbols)
    return f"""
Dimensions vary: {ranges}. `--size NAME=N` says how large one is; the files have
arrays of that size.
"""
