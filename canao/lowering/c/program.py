"""The main function: which kernels are called, and with which buffers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.dialects import arith, func, memref
from xdsl.dialects.builtin import IntegerAttr, StringAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, SSAValue

from canao.errors import VerificationError
from canao.lowering.c.errors import Unprintable
from canao.lowering.c.expressions.memory import buffer_bytes
from canao.lowering.c.unit import is_written

ENTRY = "main"
BLOCK = "canao.block"
"""Attribute of a call: the block of the model that it belongs to."""
_KINDS = ("inputs", "weights", "outputs")


@dataclass(frozen=True)
class Buffer:
    """Memory that a call is given: bytes `start` to `start + size` of some base."""

    base: str
    """What it is a part of, such as `inputs[0]` or `arena`."""
    start: int
    size: int

    @property
    def c(self) -> str:
        """A pointer to it in the task function."""
        return f"c->{self.base}" if self.base != "arena" else f"(void *)(c->arena + {self.start})"

    @property
    def slot(self) -> tuple[str, int]:
        """The kind of its base ("inputs", "weights", "outputs" or "arena") and its number."""
        kind, _, number = self.base.partition("[")
        return kind, int(number.removesuffix("]") or 0)

    @property
    def read_only(self) -> bool:
        """Whether it belongs to the caller and must stay as it is."""
        return self.base.startswith(("inputs", "weights"))

    def overlaps(self, other: Buffer) -> bool:
        """Whether two share a byte."""
        return (
            self.base == other.base
            and self.start < other.start + other.size
            and other.start < self.start + self.size
        )


@dataclass(frozen=True)
class Call:
    """One call of a kernel."""

    symbol: str
    arguments: tuple[Buffer, ...]
    block: str = ""
    """The block of the model that it belongs to, if that is known."""


@dataclass(frozen=True)
class Schedule:
    """All calls in order, and the size of the memory that they share."""

    calls: tuple[Call, ...]
    arena_bytes: int

    def overlapping(self, table: Mapping[str, FuncOp]) -> set[str]:
        """Kernels that some call gives a written buffer which overlaps another."""
        return {call.symbol for call in self.calls if _overlap(call, table[call.symbol])}


def _overlap(call: Call, function: FuncOp) -> bool:
    written = [
        buffer
        for buffer, parameter in zip(call.arguments, function.args, strict=True)
        if is_written(parameter)
    ]
    return any(sum(out.overlaps(other) for other in call.arguments) > 1 for out in written)


def read_schedule(table: Mapping[str, FuncOp]) -> Schedule:
    """The calls that `@main` makes."""
    function = table.get(ENTRY)
    if function is None or not function.body.blocks:
        raise VerificationError(
            "the module has no function '@main' with a body; run 'lower-canao-to-affine' "
            "and 'plan-memory' before printing C"
        )
    return _Reader(table, function).read()


class _Reader:
    """Walks `@main` once."""

    def __init__(self, table: Mapping[str, FuncOp], function: FuncOp) -> None:
        self.table = table
        self.function = function
        self.buffers: dict[SSAValue, Buffer] = {}
        self.constants: dict[SSAValue, int] = {}
        self.calls: list[Call] = []
        self.arena_bytes = 0

    def read(self) -> Schedule:
        self._name_arguments()
        for op in self.function.body.block.ops:
            try:
                self._read_op(op)
            except Unprintable as reason:
                raise VerificationError(f"op '{op.name}' in function '@main': {reason}") from reason
        return Schedule(tuple(self.calls), self.arena_bytes)

    def _name_arguments(self) -> None:
        names: list[str] = []
        for kind in _KINDS:
            count = self.function.attributes.get(f"canao.{kind}")
            if not isinstance(count, IntegerAttr):
                raise VerificationError(
                    f"function '@main' lacks the integer attribute 'canao.{kind}'; "
                    "run 'lower-canao-to-affine' before printing C"
                )
            names += [f"{kind}[{i}]" for i in range(count.value.data)]
        arguments = self.function.args
        if len(arguments) == len(names) + 1:
            names.append("arena")
        if len(arguments) != len(names):
            raise VerificationError(
                f"function '@main' has {len(arguments)} arguments, "
                f"and its attributes count {len(names)}"
            )
        for name, argument in zip(names, arguments, strict=True):
            try:
                size = buffer_bytes(argument.type)
            except Unprintable as reason:
                raise VerificationError(f"an argument of '@main': {reason}") from reason
            self.buffers[argument] = Buffer(name, 0, size)
            if name == "arena":
                self.arena_bytes = size

    def _read_op(self, op: Operation) -> None:
        if isinstance(op, arith.ConstantOp) and isinstance(op.value, IntegerAttr):
            self.constants[op.result] = op.value.value.data
        elif isinstance(op, memref.ViewOp):
            self._read_view(op)
        elif isinstance(op, func.CallOp):
            self._read_call(op)
        elif not isinstance(op, func.ReturnOp) or op.arguments:
            raise Unprintable("only views of the arena and calls of kernels may stand here")

    def _read_view(self, op: memref.ViewOp) -> None:
        source, shift = self.buffers.get(op.source), self.constants.get(op.byte_shift)
        if source is None or source.base != "arena" or shift is None:
            raise Unprintable("only views of the arena at a constant offset have a form in C")
        size = buffer_bytes(op.result.type)
        if shift < 0 or shift + size > self.arena_bytes:
            raise Unprintable(
                f"bytes {shift} to {shift + size} are outside the arena of {self.arena_bytes} bytes"
            )
        self.buffers[op.result] = Buffer("arena", shift, size)

    def _read_call(self, op: func.CallOp) -> None:
        symbol = op.callee.string_value()
        function = self.table.get(symbol)
        if function is None or not function.body.blocks:
            raise Unprintable(f"'@{symbol}' has no body; define it in the module")
        if len(function.args) != len(op.arguments) or op.results:
            raise Unprintable(f"the call does not fit the signature of '@{symbol}'")
        arguments = tuple(self.buffers[argument] for argument in op.arguments)
        for buffer, parameter in zip(arguments, function.args, strict=True):
            if buffer.read_only and is_written(parameter):
                raise Unprintable(
                    f"'@{symbol}' writes to {buffer.base}, which belongs to the caller"
                )
        block = op.attributes.get(BLOCK)
        label = block.data if isinstance(block, StringAttr) else ""
        self.calls.append(Call(symbol, arguments, label))
