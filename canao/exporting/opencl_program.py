"""Writing a model as OpenCL kernels with a small host in C."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from canao.exporting.build_files import filled, sizes_note, usual_arguments
from canao.exporting.header import USUAL_NAME, check_name, model_header, renamed
from canao.exporting.interface import main_text, model_text
from canao.exporting.metadata import metadata_text
from canao.exporting.tables import groups_text, sizes_text, tables_text
from canao.exporting.weight_file import NAME, write_weights
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

_LACKS = """\
/* The driver knows for which device it builds kernels. */
const char *canao_model_lacks(void) { return NULL; }"""


def export_opencl(
    program: Program,
    weights: Sequence[Array],
    directory: Path,
    device: OpenCLDevice,
    *,
    name: str = USUAL_NAME,
) -> Path:
    """Write kernels.cl, model.h, model.c, main.c, weights.bin, metadata.json and what builds them.

    Functions are called `{name}_model_open` and so on.
    """
    check_name(name)
    written = write_weights(directory / NAME, program, weights)
    # The arena is on the device.
    tables = [*tables_text(program, written, arena_bytes=64), *sizes_text(program)]
    texts = {
        # The driver has the threads.
        "model.h": model_header(program, 1, "A model compiled by canao, in OpenCL."),
        "model.c": model_text(
            tables,
            processor=[_LACKS],
            kernels=[*_host(program, weights, device), _support("host.h")],
            parts=["run.c"],
        ),
        "main.c": main_text("main.c"),
    }
    replace_text(directory / "kernels.cl", program.source)
    for file, text in texts.items():
        replace_text(directory / file, renamed(text, name))
    replace_text(directory / "metadata.json", metadata_text(program, written, device.units))
    values = {
        "arguments": usual_arguments(program),
        "sizes": sizes_note(program),
        "device": device.name,
        "kind": device.kind,
        "float64": " and double precision" if "double" in program.source else "",
    }
    replace_text(directory / "Makefile", filled("Makefile.opencl.in", values))
    replace_text(directory / "README.md", filled("README.opencl.in", values))
    return directory


def _host(program: Program, weights: Sequence[Array], device: OpenCLDevice) -> list[str]:
    """The steps of the program, each beside its block of the model."""
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
    return [
        *(f"#define {name} {value}" for name, value in numbers.items()),
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
    ]


def _support(name: str) -> str:
    return files("canao.lowering.opencl").joinpath("support", name).read_text(encoding="utf-8")
