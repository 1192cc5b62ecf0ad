"""Kernels of OpenCL: their parameters, scratch memory and assertions."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from xdsl.dialects import affine, cf, memref
from xdsl.dialects.builtin import IntegerAttr, MemRefType
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, SSAValue

from canao.dialects.canao_memory import PrefetchOp
from canao.dialects.group_memory import own_elements
from canao.lowering.c import control, unit
from canao.lowering.c.context import FunctionPrinter, OpPrinter, UnitPrinter
from canao.lowering.c.errors import Unprintable
from canao.lowering.c.expressions.memory import STORES, buffer_bytes, buffer_shape, round_up
from canao.lowering.c.subscripts import Linear
from canao.machine.opencl_device import DeviceModel

_CHECK = """\
__attribute__((noinline)) void canao_check(
    __global volatile int *status, const int holds, const int number) {
  if (!holds) atomic_cmpxchg(status, 0, number);
}"""


class ItemPrinter(FunctionPrinter):
    """Prints what one work-item runs."""

    def __init__(
        self, unit: UnitPrinter, symbol: str, helper_names: dict[str, str], device: DeviceModel
    ) -> None:
        super().__init__(unit, symbol, helper_names)
        self.device = device
        self.private_bytes = 0
        """Size of the arrays that the work-item has of its own."""
        self.items = 1
        """Work-items that share a task."""
        self.spaces: dict[SSAValue, str] = {}
        """Address spaces of scratch buffers; all other buffers are global."""
        self.parts: list[str] = []
        """Lines that declare the buffers: each is a part of one that the kernel is given."""
        self.in_task = False
        """Whether the loop over tasks is open."""
        self.own: dict[SSAValue, int] = {}
        """The elements that each item has of the buffers of which it has a part of its own."""
        self.item_strides: dict[str, int] = {}
        """How the variables of the loop over items that is open make the number of an item."""

    def space(self, buffer: SSAValue) -> str:
        return self.spaces.get(buffer, "__global ")

    def within(self, buffer: SSAValue, place: Linear) -> Linear:
        own = self.own.get(buffer)
        if own is None:
            return place
        strides = {name: stride * own for name, stride in self.item_strides.items()}
        if place.terms != strides or not 0 <= place.constant < own:
            raise Unprintable(f"an item that reaches {place}, not in its own {own} elements")
        return Linear({}, place.constant)


class OpenCLFunctions(unit.Functions):
    """Prints kernels whose group number `task` runs that task."""

    unused = ""
    space = "__global "

    def __init__(self, printer: UnitPrinter, table: dict[str, FuncOp], device: DeviceModel) -> None:
        super().__init__(printer, table)
        self.device = device

    def _printer(self, symbol: str, names: dict[str, str]) -> ItemPrinter:
        fn = ItemPrinter(self.unit, symbol, names, self.device)
        fn.items = self.items(symbol)
        return fn

    def _counter(self, function: FuncOp, name: str) -> tuple[str, list[str]]:
        return "", []  # the host counts: `task_count`

    def items(self, symbol: str) -> int:
        """Work-items of a group that runs a kernel."""
        items = self.table[symbol].attributes.get("canao.items")
        return items.value.data if isinstance(items, IntegerAttr) else 1

    def _buffer(
        self,
        fn: FunctionPrinter,
        function: FuncOp,
        argument: SSAValue,
        restrict: str,
        read: Collection[str],
    ) -> str:
        assert isinstance(fn, ItemPrinter)
        kind, pointer = super()._buffer(fn, function, argument, "", read).split("*")
        return _part(fn, kind.strip(), restrict, pointer)

    def _head(self, fn: FunctionPrinter, name: str, parameters: list[str]) -> list[str]:
        assert isinstance(fn, ItemPrinter)
        if fn.scratch_bytes:
            parameters.append(_part(fn, "__global uchar", "restrict ", "scratch"))
        if fn.uses_call:
            parameters.append(_part(fn, "__global volatile int", "restrict ", "status"))
        lines = [
            f"__kernel __attribute__((reqd_work_group_size({items_of(fn)}, 1, 1)))",
            f"void {name}({', '.join(parameters)}) {{",
            *(["#pragma OPENCL FP_CONTRACT OFF"] if fn.keeps_roundings else []),
            *fn.parts,
        ]
        if fn.uses_task or fn.scratch_bytes:
            lines.append("  const long task = get_group_id(0);")
        return lines


def _part(fn: ItemPrinter, kind: str, restrict: str, name: str) -> str:
    """The parameters for a buffer of some kind: the whole that it is a part of, and its start.

    Parts of the arena could be sub-buffers, of which some drivers keep track at every launch.
    """
    fn.parts.append(f"  {kind} *{restrict}const {name} = ({kind} *)(base_{name} + start_{name});")
    const = "const " if " const " in kind else ""
    return f"__global {const}uchar *{restrict}base_{name}, const ulong start_{name}"


def items_of(fn: FunctionPrinter) -> int:
    """Work-items of a group that runs a kernel."""
    assert isinstance(fn, ItemPrinter)
    return fn.items


def _print_alloca(fn: ItemPrinter, op: memref.AllocaOp) -> None:
    """An array of the work-item or the group where it is small, else a part of global memory."""
    if not fn.is_kernel:
        raise Unprintable("scratch memory outside a kernel")
    element, _ = buffer_shape(op.memref.type)
    size = round_up(buffer_bytes(op.memref.type))
    name = fn.bind(op.memref, "s")
    own = own_elements(op)
    if own is not None:
        fn.own[op.memref] = own
        fn.spaces[op.memref] = "__private "
        fn.line(f"__private {element.memory} {name}[{own}] __attribute__((aligned(16)));")
        return
    if fn.items > 1 and fn.local_bytes + size <= fn.device.local_bytes:
        fn.local_bytes += size
        fn.spaces[op.memref] = "__local "
        fn.line(
            f"__local {element.memory} {name}[{size // element.bytes}] "
            "__attribute__((aligned(64)));"
        )
        return
    if fn.items == 1 and fn.private_bytes + size <= fn.device.private_bytes:
        fn.private_bytes += size
        fn.spaces[op.memref] = "__private "
        fn.line(
            f"__private {element.memory} {name}[{size // element.bytes}] "
            "__attribute__((aligned(64)));"
        )
        return
    offset = fn.scratch_bytes * fn.tasks
    fn.scratch_bytes += size
    pointer = f"__global {element.memory} *"
    fn.line(f"{pointer}restrict const {name} = ({pointer})(scratch + {offset} + task * {size});")


def _print_parallel(fn: ItemPrinter, op: affine.ParallelOp) -> None:
    """The outer loop is over groups; an inner one is shared by the items of a group."""
    if not fn.in_task:
        fn.in_task = True
        control.print_parallel(fn, op)
        return
    if fn.items == 1:
        raise Unprintable("a parallel loop in a kernel whose tasks are not shared")
    counter = fn.fresh("item")
    total, most = control.task_count(fn, op), control.most_tasks(fn, op)
    fn.bounds[counter] = (0, max(0, most - 1))
    # PoCL loses conditions before barriers, so that all items would store. This is a loop even
    # where no item has a second turn, with a step that no compiler knows when it could tell.
    first, step = f"long {counter} = get_local_id(0)", f"{counter} += get_local_size(0)"
    each = total == str(fn.items)
    fn.open("" if each else f"for ({first}; {counter} < {total}; {step})")
    if each:
        fn.line(f"const {first};")
    control.bind_counters(fn, op, counter)
    fn.item_strides = _item_strides(fn, op) if most <= fn.items else {}
    control.print_body(fn, op.body.block)
    fn.item_strides = {}
    fn.close()
    if not _is_apart(fn, op):
        fn.line("barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);")


def _item_strides(fn: ItemPrinter, op: affine.ParallelOp) -> dict[str, int]:
    """By the variable of each dimension, what one step along it adds to the number of an item."""
    strides: dict[str, int] = {}
    inner = 1
    counts = control.trip_counts(fn, op)
    fixed = [n for n in counts if isinstance(n, int)]
    if len(fixed) != len(counts):
        return {}
    for argument, extent in reversed([*zip(op.body.block.args, fixed, strict=True)]):
        if extent > 1:
            strides[fn.names[argument]] = inner
        inner *= extent
    return strides


def _is_apart(fn: ItemPrinter, op: affine.ParallelOp) -> bool:
    """Whether no item reads or writes what another one writes, so that none has to wait."""
    for inner in op.walk():
        if isinstance(inner, cf.AssertOp):
            return False
        for operand in inner.operands:
            if not isinstance(operand.type, MemRefType) or operand in fn.own:
                continue
            if isinstance(inner, STORES) or unit.is_written(operand):
                return False
    return True


def _print_assert(fn: ItemPrinter, op: cf.AssertOp) -> None:
    """The first of all work-items that fails leaves the number of its message."""
    if not fn.is_kernel:
        raise Unprintable("an assertion outside a kernel")
    fn.uses_call = True
    number = fn.unit.message(op.msg.data) + 1
    if fn.items == 1:
        fn.line(f"if (!({fn.name(op.arg)})) atomic_cmpxchg(status, 0, {number});")
        return
    # The condition is out of sight of PoCL, which loses those before barriers.
    name = fn.unit.helper("canao_check", lambda: _CHECK)
    fn.line(f"{name}(status, {fn.name(op.arg)}, {number});")


def _print_nothing(fn: FunctionPrinter, op: Operation) -> None:
    """For hints that OpenCL has no reliable form of."""


def _of_items(printer: Callable[[ItemPrinter, Any], None]) -> OpPrinter:
    def print_op(fn: FunctionPrinter, op: Any) -> None:
        assert isinstance(fn, ItemPrinter)
        printer(fn, op)

    return print_op


PRINTERS: dict[type[Operation], OpPrinter] = {
    **unit.PRINTERS,
    affine.ParallelOp: _of_items(_print_parallel),
    cf.AssertOp: _of_items(_print_assert),
    memref.AllocaOp: _of_items(_print_alloca),
    PrefetchOp: _print_nothing,
}
"""How each class of operations is printed: as in C but for these."""
