"""Operations that are defined by simpler ones, found where exporters wrote those out."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from xdsl.builder import Builder
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Block, Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern
from xdsl.rewriter import InsertPoint

from canao.dialects.canao import DEFINED_OPS
from canao.dialects.canao.defined import DefinedOp
from canao.dialects.canao.elementwise import BinaryOp, ElementwiseOp
from canao.dialects.canao.source import ConstantOp
from canao.dialects.canao.types import element_of, is_float, shape_of
from canao.transforms.constants import is_splat_of


@cache
def _definition(kind: type[DefinedOp], operand: TensorType) -> SSAValue:
    """The result of an operation's definition for the argument of a block."""
    block = Block(arg_types=[operand])
    return kind.define(block.args[0], Builder(InsertPoint.at_end(block)))


def _orders(op: Operation) -> Iterator[tuple[SSAValue, ...]]:
    """The orders in which the operands of an operation may stand."""
    yield tuple(op.operands)
    if isinstance(op, BinaryOp) and op.LAWS.commutative:
        yield (op.rhs, op.lhs)


def _operand_of(form: SSAValue, found: SSAValue, operand: SSAValue | None) -> SSAValue | None:
    """What stands for the argument of a definition in a value that is one; None if it is none.

    `operand` is what stands for it elsewhere in the same expression, if that is known.
    """
    written = form.owner
    if isinstance(written, Block):
        return found if operand in (None, found) else None
    owner = found.owner
    if not isinstance(owner, ElementwiseOp) or type(owner) is not type(written):
        return None
    if owner.properties != written.properties:
        return None
    for order in _orders(owner):
        argument = _match(written, order, operand)
        if argument is not None:
            return argument
    return None


def _match(
    written: Operation, order: tuple[SSAValue, ...], operand: SSAValue | None
) -> SSAValue | None:
    """The same for the operands of an operation of a definition, in one order."""
    for part, value in zip(written.operands, order, strict=True):
        number = part.owner
        if isinstance(number, ConstantOp):
            if not is_splat_of(value, number.array().item()):
                return None
            continue
        if isinstance(number, Operation) and not value.has_one_use():
            return None
        operand = _operand_of(part, value, operand)
        if operand is None:
            return None
    return operand


class RecoverDefined(RewritePattern):
    """What an operation's `define` builds -> that operation, if nothing else needs the parts."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        if not isinstance(op, ElementwiseOp) or not is_float(op.result):
            return
        number = TensorType(element_of(op.result), [])
        for kind in DEFINED_OPS:
            operand = _operand_of(_definition(kind, number), op.result, None)
            if operand is not None and shape_of(operand) == shape_of(op.result):
                rewriter.replace(op, kind(operand))
                return
