"""Writing a model as a C program that needs nothing of canao."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from canao.building.support import support_text
from canao.building.toolchain import GCC_OPTIONS
from canao.exporting.tables import INCLUDES, from_files, tables_text
from canao.extent import is_symbolic
from canao.files import replace_text, replacing
from canao.machine.processor import VectorUnit
from canao.program import Program, TensorSpec
from canao.runtime.memory import ALIGNMENT
from canao.runtime.module import Array

_MAKEFILE = """\
CC ?= cc
CFLAGS ?= -O3 -march=native
FLAGS := -std=gnu11 -pthread -fno-math-errno -fno-trapping-math
# Options that gcc needs to keep sums in registers, where the compiler knows them.
KNOWN = $(shell $(CC) $(option) -E -x c /dev/null >/dev/null 2>&1 && echo $(option))
FLAGS += $(foreach option,{options},$(KNOWN))

model: model.c
\t$(CC) $(FLAGS) $(CFLAGS) -o $@ $< -lm

clean:
\trm -f model

.PHONY: clean
"""

_README = """\
# A model compiled by canao

`make` builds `model`; it needs a C compiler and nothing else. Then

    ./model {arguments}

reads and writes raw little-endian arrays, in the order and with the shapes and
types that `metadata.json` lists. `--threads T` sets the number of threads,
`--time N` runs N times and prints the latency. The weights are in
`weights.bin`, which is looked for beside the program.
{sizes}
To build for another processor set `CC` and `CFLAGS`:

    make CC="python -m ziglang cc -target aarch64-linux-musl" CFLAGS="-O3"

The code was made for vectors of {lanes} float32 numbers. Another processor runs
it correctly, but not as fast as code compiled with its `canao.Target`.
"""


def export_program(
    program: Program,
    weights: Sequence[Array],
    directory: Path,
    *,
    threads: int,
    unit: VectorUnit,
) -> Path:
    """Write model.c, weights.bin, metadata.json, a Makefile and a README.

    The code was made for the vectors of `unit`, and runs with `threads` threads
    unless it is told otherwise.
    """
    offsets = weight_offsets(weights)
    size = write_weights(directory / "weights.bin", weights, offsets)
    replace_text(directory / "model.c", _source(program, offsets, size, threads))
    replace_text(directory / "metadata.json", metadata_text(program, offsets, threads))
    replace_text(
        directory / "Makefile",
        _MAKEFILE.format(options=" ".join((*GCC_OPTIONS, *unit.gcc_options))),
    )
    readme = _README.format(
        arguments=usual_arguments(program), sizes=sizes_note(program), lanes=unit.lanes_f32
    )
    replace_text(directory / "README.md", readme)
    return directory


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


def weight_offsets(weights: Sequence[Array]) -> list[int]:
    """Where each weight begins in the file."""
    offsets: list[int] = []
    end = 0
    for array in weights:
        start = -(-end // ALIGNMENT) * ALIGNMENT
        offsets.append(start)
        end = start + array.nbytes
    return offsets


def write_weights(path: Path, weights: Sequence[Array], offsets: Sequence[int]) -> int:
    """Writes the weights to a file in one step; its size."""
    with replacing(path) as new, new.open("wb") as file:
        for offset, array in zip(offsets, weights, strict=True):
            file.write(bytes(offset - file.tell()))
            array.astype(array.dtype.newbyteorder("<"), copy=False).tofile(file)
        return file.tell()


def _source(program: Program, offsets: Sequence[int], size: int, threads: int) -> str:
    tables = tables_text(program, offsets, size, threads=threads, arena_bytes=program.arena_bytes)
    return "\n".join([program.source, *INCLUDES, *tables, support_text("program_main.h")])


def metadata_text(program: Program, offsets: Sequence[int], threads: int) -> str:
    """Inputs, outputs and weights as JSON text.

    A dimension that varies is a number of the program's sizes, or a sum of products of them.
    """
    weights = [
        {**_described(spec), "offset": offset}
        for spec, offset in zip(program.weights, offsets, strict=True)
    ]
    data = {
        "inputs": [_described(spec) for spec in from_files(program)],
        "outputs": [_described(spec) for spec in program.outputs],
        "weights": weights,
        "sizes": [{"name": s.name, "low": s.low, "high": s.high} for s in program.symbols],
        "arena_bytes": program.arena_bytes,
        "threads": min(threads, program.threads),
        "most_threads": program.threads,
        "byte_order": "little",
    }
    return json.dumps(data, indent=1) + "\n"


def _described(spec: TensorSpec) -> dict[str, object]:
    shape = [str(n) if is_symbolic(n) else n for n in spec.lengths or spec.shape]
    size = {} if spec.lengths else {"bytes": spec.bytes}
    return {"name": spec.name, "dtype": np.dtype(spec.dtype).name, "shape": shape, **size}
