"""Writing a model as OpenCL kernels with a small host in C."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from canao.building.support import support_text
from canao.exporting.c_program import (
    metadata_text,
    sizes_note,
    usual_arguments,
    weight_offsets,
    write_weights,
)
from canao.exporting.tables import INCLUDES, groups_text, tables_text
from canao.files import replace_text
from canao.lowering.c.comments import comment
from canao.lowering.c.literals import c_string
from canao.machine.device_record import OpenCLDevice
from canao.program import Piece, Program
from canao.runtime.module import Array

_KINDS = {
    "inputs": "CANAO_INPUT",
    "weights": "CANAO_WEIGHT",
    "outputs": "CANAO_OUTPUT",
    "arena": "CANAO_ARENA",
    "status": "CANAO_STATUS",
}

_MAKEFILE = """\
CC ?= cc
CFLAGS ?= -O2
LIBS ?= -lOpenCL

model: model.c kernels.inc
\t$(CC) -std=gnu11 $(CPPFLAGS) $(CFLAGS) -o $@ model.c $(LDFLAGS) $(LIBS)

kernels.inc: kernels.cl
\tsed 's/[\\\\"]/\\\\&/g; s/.*/"&\\\\n",/' kernels.cl > $@

clean:
\trm -f model kernels.inc

.PHONY: clean
"""

_README = """\
# A model compiled by canao, in OpenCL

`make` builds `model`; it needs a C compiler, the headers of OpenCL and its library
(on Debian: `apt install ocl-icd-opencl-dev`). Then

    ./model {arguments}

reads and writes raw little-endian arrays, in the order and with the shapes and
types that `metadata.json` lists. `--time N` runs N times and prints the latency.
The weights are in `weights.bin`, which is looked for beside the program.
{sizes}
The kernels are in `kernels.cl` and are built into the program, which hands them
to the driver when it starts. They were made for {device} ({kind}) and run on any
device with OpenCL 1.2{float64}, perhaps slower. `CANAO_DEVICE` names another one:
`gpu`, `cpu` or a part of its name.
"""


def export_opencl(
    program: Program, weights: Sequence[Array], directory: Path, device: OpenCLDevice
) -> Path:
    """Write kernels.cl, model.c, weights.bin, metadata.json, a Makefile and a README."""
    directory.mkdir(parents=True, exist_ok=True)
    offsets = weight_offsets(weights)
    size = write_weights(directory / "weights.bin", weights, offsets)
    replace_text(directory / "kernels.cl", program.source)
    replace_text(directory / "model.c", _host(program, weights, offsets, size, device))
    replace_text(directory / "metadata.json", metadata_text(program, offsets, device.units))
    replace_text(directory / "Makefile", _MAKEFILE)
    doubles = "double" in program.source
    readme = _README.format(
        arguments=usual_arguments(program),
        sizes=sizes_note(program),
        device=device.name,
        kind=device.kind,
        float64=" and double precision" if doubles else "",
    )
    replace_text(directory / "README.md", readme)
    return directory


def _host(
    program: Program,
    weights: Sequence[Array],
    offsets: Sequence[int],
    size: int,
    device: OpenCLDevice,
) -> str:
    """The tables of the program, each step beside its block of the model, and what runs them."""
    launches = program.launches
    assert launches is not None
    steps = [launch for launch in launches.steps if launch.groups]
    buffers = (len(program.inputs), len(program.weights), len(program.outputs), 1)
    numbers = {
        "CANAO_STEPS": len(steps),
        "CANAO_MESSAGES": len(launches.messages),
        "CANAO_MOST_BUFFERS": max(buffers),
        "CANAO_DEVICE_BYTES": f"((size_t){program.arena_bytes}u)",
        "CANAO_OPTIONS": c_string(" ".join(device.options)),
        "CANAO_KIND": c_string(device.kind),
    }
    rows: list[str] = []
    pieces: list[Piece] = []
    for launch in steps:
        first, count = len(pieces), len(launch.arguments)
        block = f" {comment([launch.block])}" if launch.block else ""
        rows.append(f"  {{{c_string(launch.kernel)}, {launch.items}u, {first}, {count}}},{block}")
        pieces += launch.arguments
    weight_sizes = ", ".join(f"{array.nbytes}u" for array in weights) or "0"
    return "\n".join(
        [
            "/* Made by canao: the program in numbers, then a host that runs it. */",
            *INCLUDES,
            *(f"#define {name} {value}" for name, value in numbers.items()),
            # The arena is on the device; the driver has the threads.
            *tables_text(program, offsets, size, threads=1, arena_bytes=64),
            *groups_text([launch.groups for launch in steps]),
            f"static const size_t canao_weight_bytes[] = {{{weight_sizes}}};",
            f"enum {{ {', '.join(_KINDS.values())} }};",
            "typedef struct {",
            "  const char *kernel;",
            "  size_t group;",
            "  int first, count; /* its pieces */",
            "} canao_step;",
            "static const canao_step canao_steps[CANAO_STEPS + 1] = {",
            *rows,
            "  {0, 0, 0, 0},",
            "};",
            "typedef struct {",
            "  int kind, number;",
            "  size_t start;",
            "} canao_piece;",
            "static const canao_piece canao_pieces[] = {",
            *(f"  {{{_KINDS[p.base]}, {p.number}, {p.start}u}}," for p in pieces),
            "  {0, 0, 0},",
            "};",
            "static const char *const canao_messages[CANAO_MESSAGES + 1] = {",
            *(f"  {c_string(message)}," for message in launches.messages),
            "  0,",
            "};",
            "static const char *const canao_kernel_lines[] = {",
            '#include "kernels.inc"',
            "};",
            _support("host.h"),
            support_text("program_main.h"),
        ]
    )


def _support(name: str) -> str:
    return files("canao.lowering.opencl").joinpath("support", name).read_text(encoding="utf-8")
