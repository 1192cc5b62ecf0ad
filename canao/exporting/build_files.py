"""Texts beside the code of an exported program: how it is built and what it takes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from canao.building.toolchain import ZIG_OPTIONS
from canao.exporting.header import exporting_text
from canao.exporting.tables import from_files
from canao.machine.target import Target
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


_OF_ZIG = """\
# Unless CC says otherwise: zig's clang, told to make code for {name}.
ifneq ($(filter default undefined,$(origin CC)),)
CC := $(or $(shell command -v zig 2>/dev/null),python3 -m ziglang) cc {options}
CFLAGS ?= -O3
LDFLAGS ?={links}
endif"""


def compiler_text(target: Target) -> str:
    """What a Makefile says of the compiler: that of whoever builds it, or one for the target."""
    row = target.row
    if row is None:
        return "CC ?= cc\nCFLAGS ?= -O3 -march=native"
    flags = shlex.join(("-O3", *row.flags))
    if _is_made_by_any(target):
        return f"CC ?= cc\nCFLAGS ?= {flags}"
    options = shlex.join((*row.zig, *ZIG_OPTIONS))
    links = " -static" if row.static else ""
    zig = _OF_ZIG.format(name=row.name, options=options, links=links)
    return f"{zig}\nCFLAGS ?= {flags}"


def compiler_needed(target: Target) -> str:
    """What a README says that `make` needs."""
    if _is_made_by_any(target):
        return "a C compiler and nothing else"
    return (
        f"zig, or `pip install ziglang`, or a\ncompiler for {target.title} that `CC` names, "
        "and nothing else"
    )


def _is_made_by_any(target: Target) -> bool:
    """Whether compilers of this machine make code for a target, as `compiler_for` has it."""
    return target.row is None or target.triple == Target.host().triple
