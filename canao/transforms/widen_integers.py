"""`widen-integers`: integers of 8, 16 and 32 bits as i64 that wrap around as they would."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import (
    AnyFloat,
    DenseIntOrFPElementsAttr,
    FunctionType,
    IntegerType,
    ModuleOp,
    TensorType,
)
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass

from canao.dialects import canao
from canao.dialects.canao.source import SourceOp, dense_elements
from canao.dialects.canao.types import NARROW_INTEGERS, element_of, i64, range_of
from canao.dialects.interfaces import CanaoOp, Reorganising
from canao.errors import VerificationError

CONGRUENT: tuple[type[Operation], ...] = (
    canao.AddOp,
    canao.AndOp,
    canao.MatmulOp,
    canao.MulOp,
    canao.NegOp,
    canao.NotOp,
    canao.OrOp,
    canao.ReduceSumOp,
    canao.SubOp,
)
"""Operations whose low bits depend on the low bits of their operands alone.

They take numbers that have not been wrapped yet, so that a chain of them wraps once.
"""

IN_RANGE: tuple[type[Operation], ...] = (
    SourceOp,
    Reorganising,
    canao.ConcatOp,
    canao.GatherOp,
    canao.MaximumOp,
    canao.MinimumOp,
    canao.PackOp,
    canao.ReduceMaxOp,
    canao.ReduceMinOp,
    canao.SelectOp,
)
"""Operations that give one of the numbers that they are given, which is in range."""

STAYS_IN_RANGE: tuple[type[Operation], ...] = (canao.AndOp, canao.OrOp)
"""Congruent operations that give a number in range where both operands are."""


def _is_narrow(type_: Attribute) -> bool:
    return isinstance(type_, TensorType) and type_.element_type in NARROW_INTEGERS


def _widened(type_: Attribute) -> Attribute:
    if not isinstance(type_, TensorType) or not _is_narrow(type_):
        return type_
    return TensorType(i64, type_.get_shape(), type_.encoding)


def _holds(wide: Attribute, narrow: Attribute) -> bool:
    """Whether every number of one integer type is one of another."""
    least, greatest = range_of(wide)
    low, high = range_of(narrow)
    return least <= low and high <= greatest


@dataclass
class _Widening:
    """Writes a block again with wide integers; `values` maps its values to the new ones."""

    block: Block
    values: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    loose: dict[SSAValue, SSAValue] = field(default_factory=dict[SSAValue, SSAValue])
    """What stands for a value but for multiples of 2 to the number of its bits."""

    def exact(self, value: SSAValue) -> SSAValue:
        """The number that the model means, wrapped at its first use."""
        if value not in self.values:
            element = element_of(value)
            assert isinstance(element, IntegerType)
            wrapped = canao.WrapOp(self.loose[value], element)
            self.block.add_op(wrapped)
            self.values[value] = wrapped.result
        return self.values[value]

    def low_bits(self, value: SSAValue) -> SSAValue:
        """A number with the same low bits."""
        return self.loose[value] if value in self.loose else self.values[value]

    def add(self, op: Operation) -> None:
        """Appends what an operation is with wide integers."""
        if isinstance(op, canao.CastOp):
            self._add_cast(op)
            return
        narrow = [result for result in op.results if _is_narrow(result.type)]
        congruent = bool(narrow) and isinstance(op, CONGRUENT)
        read = self.low_bits if congruent else self.exact
        stays = isinstance(op, STAYS_IN_RANGE) and not any(v in self.loose for v in op.operands)
        in_range = stays or isinstance(op, IN_RANGE)
        self._bind(op, _rewritten(op, [read(v) for v in op.operands]), in_range=in_range)

    def _add_cast(self, op: canao.CastOp) -> None:
        source, target = element_of(op.operand), element_of(op.result)
        if target not in NARROW_INTEGERS:
            self._bind_cast(op, self.exact(op.operand), target, in_range=True)
            return
        if isinstance(source, AnyFloat):
            self._bind_cast(op, self.exact(op.operand), i64, in_range=False)
        elif _holds(target, source):
            self._bind_cast(op, self.exact(op.operand), i64, in_range=True)
        else:
            enough = _bits(source) >= _bits(target)
            value = self.low_bits(op.operand) if enough else self.exact(op.operand)
            self._bind_cast(op, value, i64, in_range=False)

    def _bind_cast(
        self, op: canao.CastOp, value: SSAValue, element: Attribute, *, in_range: bool
    ) -> None:
        if element_of(value) != element:
            made = canao.CastOp(value, element)
            self.block.add_op(made)
            value = made.result
        (self.values if in_range else self.loose)[op.result] = value

    def _bind(self, op: Operation, made: Operation, *, in_range: bool) -> None:
        self.block.add_op(made)
        for old, new in zip(op.results, made.results, strict=True):
            new.name_hint = old.name_hint
            loose = _is_narrow(old.type) and not in_range
            (self.loose if loose else self.values)[old] = new


def _bits(element: Attribute) -> int:
    assert isinstance(element, IntegerType)
    return element.width.data


def _rewritten(op: Operation, operands: list[SSAValue]) -> Operation:
    """An operation on wide integers."""
    if op.regions or any(_is_narrow(r.type) and not isinstance(op, CanaoOp) for r in op.results):
        raise VerificationError(
            f"op '{op.name}' stands among integers of fewer than 64 bits, which only plain "
            "operations of the canao dialect have; write it with i64"
        )
    if isinstance(op, canao.ConstantOp) and _is_narrow(op.result.type):
        type_ = cast(TensorType[Attribute], _widened(op.result.type))
        numbers = [int(cast(int, n)) for n in op.value.get_values()]
        value: DenseIntOrFPElementsAttr = dense_elements(
            type_, numbers[:1] if op.value.is_splat() else numbers
        )
        return canao.ConstantOp(value)
    return type(op).create(
        operands=operands,
        result_types=[_widened(result.type) for result in op.results],
        properties=dict(op.properties),
        attributes=dict(op.attributes),
    )


def widen_integers(function: FuncOp) -> None:
    """Rewrites a function of one block; one without narrow integers stays as it is."""
    old = function.body.block
    values = (*old.args, *(result for op in old.ops for result in op.results))
    if not any(_is_narrow(value.type) for value in values):
        return
    block = Block(arg_types=[_widened(argument.type) for argument in old.args])
    widening = _Widening(block)
    for before, after in zip(old.args, block.args, strict=True):
        after.name_hint = before.name_hint
        widening.values[before] = after
    for op in old.ops:
        widening.add(op)
    function.body.detach_block(old)
    old.erase(safe_erase=False)
    function.body.add_block(block)
    last = block.last_op
    assert last is not None
    function.function_type = FunctionType.from_lists(
        [argument.type for argument in block.args], [v.type for v in last.operands]
    )


@dataclass(frozen=True)
class WidenIntegersPass(ModulePass):
    """Computes integers of 8, 16 and 32 bits as i64, the one type that later passes know.

    Results that may leave the range of their type are wrapped before anything reads
    them that tells numbers apart whose low bits are equal. Inputs, weights and results
    are i64 with numbers in range.
    """

    name = "widen-integers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for function in op.body.block.ops:
            if isinstance(function, FuncOp) and not function.is_declaration:
                widen_integers(function)


__all__ = ["CONGRUENT", "IN_RANGE", "STAYS_IN_RANGE", "WidenIntegersPass", "widen_integers"]
