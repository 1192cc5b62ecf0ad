"""Pass `plan-memory`: one arena for all buffers between layers.

Before: `@main` allocates a buffer for every value between kernels. After: one
`i8` arena, passed in last, and a `memref.view` into it for every buffer;
buffers that are never live together share bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from xdsl.context import Context
from xdsl.dialects import arith, func, memref
from xdsl.dialects.builtin import (
    FixedBitwidthType,
    FunctionType,
    IndexType,
    IntegerType,
    MemRefType,
    ModuleOp,
    i8,
)
from xdsl.ir import Operation
from xdsl.passes import ModulePass

_ALIGNMENT = 64


@dataclass(frozen=True)
class Lifetime:
    """A buffer of `size` bytes needed from step `first` to step `last`."""

    size: int
    first: int
    last: int

    def overlaps(self, other: Lifetime) -> bool:
        """Whether both are needed at some step."""
        return self.first <= other.last and other.first <= self.last


def place(lifetimes: list[Lifetime], alignment: int = _ALIGNMENT) -> tuple[list[int], int]:
    """Offsets in bytes, and the size of the arena, by greedy best fit.

    The largest buffers are placed first, each in the smallest gap that holds
    it among the placed ones that live at the same time.
    """
    offsets = [0] * len(lifetimes)
    placed: list[int] = []
    total = 0
    for n in sorted(range(len(lifetimes)), key=lambda k: (-lifetimes[k].size, k)):
        taken = sorted(
            (offsets[m], offsets[m] + _aligned(lifetimes[m].size, alignment))
            for m in placed
            if lifetimes[m].overlaps(lifetimes[n])
        )
        size = _aligned(lifetimes[n].size, alignment)
        offsets[n] = _best_gap(taken, size)
        total = max(total, offsets[n] + size)
        placed.append(n)
    return offsets, total


def _aligned(size: int, alignment: int) -> int:
    return -(-size // alignment) * alignment


def _best_gap(taken: list[tuple[int, int]], size: int) -> int:
    best, best_room = -1, 0
    end = 0
    for start, stop in taken:
        room = start - end
        if room >= size and (best < 0 or room < best_room):
            best, best_room = end, room
        end = max(end, stop)
    return best if best >= 0 else end


def element_bytes(kind: MemRefType) -> int:
    """Bytes of one element; an i1 takes a whole one."""
    element = kind.element_type
    if isinstance(element, IntegerType):
        return max(1, element.width.data // 8)
    assert isinstance(element, FixedBitwidthType)
    return element.size


@dataclass(frozen=True)
class PlanMemoryPass(ModulePass):
    """Replaces the allocations of `@main` by views into one arena."""

    name = "plan-memory"

    alignment: int = _ALIGNMENT
    """Bytes to which views are aligned."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in op.ops:
            if isinstance(function, func.FuncOp) and function.sym_name.data == "main":
                _plan(function, self.alignment)


def _plan(main: func.FuncOp, alignment: int) -> None:
    block = main.body.block
    step: dict[Operation, int] = {op: n for n, op in enumerate(block.ops)}
    allocations = [op for op in block.ops if isinstance(op, memref.AllocOp)]
    if not allocations:
        return
    lifetimes: list[Lifetime] = []
    for op in allocations:
        uses = [step[use.operation] for use in op.memref.uses]
        first = min(uses, default=step[op])
        size = element_bytes(op.memref.type) * prod(op.memref.type.get_shape())
        lifetimes.append(Lifetime(size, first, max(uses, default=first)))
    offsets, total = place(lifetimes, alignment)
    arena = block.insert_arg(MemRefType(i8, [total]), len(block.args))
    for op, offset in zip(allocations, offsets, strict=True):
        at = arith.ConstantOp.from_int_and_width(offset, IndexType())
        view = memref.ViewOp.build(operands=[arena, at.result, []], result_types=[op.memref.type])
        block.insert_ops_before([at, view], op)
        op.memref.replace_all_uses_with(view.results[0])
        op.detach()
        op.erase()
    main.function_type = FunctionType.from_lists(block.arg_types, [])
