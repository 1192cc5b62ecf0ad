"""Prints a lowered module as OpenCL C, with the launches that its host must make."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp

from canao.lowering.c.context import UnitPrinter
from canao.lowering.c.program import Call, read_schedule
from canao.lowering.c.unit import PrintedFunction
from canao.lowering.opencl.dialect import DIALECTS
from canao.lowering.opencl.task_count import task_count
from canao.lowering.opencl.unit import PRINTERS, OpenCLFunctions
from canao.machine.opencl_device import DeviceModel
from canao.program import Launch, Launches, Piece
from canao.task_count import Count


@dataclass(frozen=True)
class OpenCLUnit:
    """The text of a program's kernels and what its host must provide."""

    source: str
    arena_bytes: int
    """Size of the arena: shared buffers, then the scratch memory of the kernel that has most."""
    calls: tuple[str, ...]
    """Symbol of the kernel of each call, in order of execution."""
    launches: Launches


def print_opencl(module: ModuleOp, device: DeviceModel) -> OpenCLUnit:
    """The OpenCL C text of a module whose `@main` calls kernels on buffers.

    `VerificationError` names the op that has no form in OpenCL C and its function.
    """
    table = {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp)}
    schedule = read_schedule(table)
    unit = UnitPrinter(PRINTERS, DIALECTS[device.kind])
    functions = OpenCLFunctions(unit, table, device)
    overlapping = schedule.overlapping(table)
    kernels: dict[str, PrintedFunction] = {}
    called = [call.symbol for call in schedule.calls]
    others = [symbol for symbol, op in table.items() if "canao.kernel" in op.attributes]
    for symbol in dict.fromkeys([*called, *others]):
        kernels[symbol] = functions.kernel(symbol, restrict=symbol not in overlapping)
    start = -(-schedule.arena_bytes // device.alignment) * device.alignment
    scratch = max((k.tasks * k.scratch_bytes for k in kernels.values()), default=0)
    texts = [
        files("canao.lowering.opencl").joinpath("support", "kernel.cl").read_text(encoding="utf-8"),
        "\n".join(unit.typedefs.values()),
        *unit.helpers.values(),
        *(helper.text for helper in functions.helpers.values()),
        *(kernel.text for kernel in kernels.values()),
    ]
    counts = {symbol: task_count(table[symbol]) for symbol in kernels}
    steps = tuple(
        _launch(
            call, kernels[call.symbol], functions.items(call.symbol), counts[call.symbol], start
        )
        for call in schedule.calls
    )
    return OpenCLUnit(
        source="\n\n".join(text.strip("\n") for text in texts if text) + "\n",
        arena_bytes=start + scratch,
        calls=tuple(called),
        launches=Launches(steps, tuple(unit.messages)),
    )


def _launch(
    call: Call, kernel: PrintedFunction, items: int, count: Count | None, scratch_start: int
) -> Launch:
    pieces = [Piece(*buffer.slot, buffer.start) for buffer in call.arguments]
    if kernel.scratch_bytes:
        pieces.append(Piece("arena", 0, scratch_start))
    if kernel.checks:
        pieces.append(Piece("status", 0, 0))
    groups = kernel.tasks if count is None else count
    return Launch(kernel.name, groups, items, tuple(pieces), kernel.local_bytes, call.block)
