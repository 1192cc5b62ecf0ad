"""Kernels of OpenCL: their parameters, scratch memory and assertions."""

from __future__ import annotations

from xdsl.dialects import cf, memref
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from canao.dialects.canao_memory import PrefetchOp
from canao.lowering.c import unit
from canao.lowering.c.context import FunctionPrinter, OpPrinter, UnitPrinter
from canao.lowering.c.errors import Unprintable
from canao.lowering.c.memory import buffer_bytes, buffer_shape, round_up
from canao.lowering.opencl.device import DeviceModel


class ItemPrinter(FunctionPrinter):
    """Prints what one work-item runs."""

    def __init__(
        self, unit: UnitPrinter, symbol: str, helper_names: dict[str, str], device: DeviceModel
    ) -> None:
        super().__init__(unit, symbol, helper_names)
        self.device = device
        self.private_bytes = 0
        """Size of the arrays that the work-item has of its own."""


class OpenCLFunctions(unit.Functions):
    """Prints kernels whose work-item number `task` runs that task."""

    unused = ""
    space = "__global "

    def __init__(
        self, printer: UnitPrinter, table: dict[str, FuncOp], device: DeviceModel
    ) -> None:
        super().__init__(printer, table)
        self.device = device

    def _printer(self, symbol: str, names: dict[str, str]) -> ItemPrinter:
        return ItemPrinter(self.unit, symbol, names, self.device)

    def _head(self, fn: FunctionPrinter, name: str, parameters: list[str]) -> list[str]:
        if fn.scratch_bytes:
            parameters.append("__global uchar *restrict scratch")
        if fn.uses_call:
            parameters.append("__global volatile int *restrict status")
        lines = [
            "__kernel __attribute__((reqd_work_group_size(1, 1, 1)))",
            f"void {name}({', '.join(parameters)}) {{",
        ]
        if fn.uses_task or fn.scratch_bytes:
            lines.append("  const long task = get_global_id(0);")
        return lines


def _print_alloca(fn: ItemPrinter, op: memref.AllocaOp) -> None:
    """An array of the work-item where it is small, else its part of global memory."""
    if not fn.is_kernel:
        raise Unprintable("scratch memory outside a kernel")
    element, _ = buffer_shape(op.memref.type)
    size = round_up(buffer_bytes(op.memref.type))
    name = fn.bind(op.memref, "s")
    if fn.private_bytes + size <= fn.device.private_bytes:
        fn.private_bytes += size
        fn.line(
            f"__private {element.memory} {name}[{size // element.bytes}] "
            "__attribute__((aligned(64)));"
        )
        return
    offset = fn.scratch_bytes * fn.tasks
    fn.scratch_bytes += size
    pointer = f"__global {element.memory} *"
    fn.line(f"{pointer}restrict const {name} = ({pointer})(scratch + {offset} + task * {size});")


def _print_assert(fn: ItemPrinter, op: cf.AssertOp) -> None:
    """The first of all work-items that fails leaves the number of its message."""
    if not fn.is_kernel:
        raise Unprintable("an assertion outside a kernel")
    fn.uses_call = True
    number = fn.unit.message(op.msg.data)
    fn.line(f"if (!({fn.name(op.arg)})) atomic_cmpxchg(status, 0, {number + 1});")


def _print_nothing(fn: ItemPrinter, op: Operation) -> None:
    """For hints that OpenCL has no reliable form of."""


PRINTERS: dict[type[Operation], OpPrinter] = {
    **unit.PRINTERS,
    cf.AssertOp: _print_assert,
    memref.AllocaOp: _print_alloca,
    PrefetchOp: _print_nothing,
}
"""How each class of operations is printed: as in C but for these."""
