"""Elementwise operations that are said in simpler ones, each in its class and nowhere else.

Of its `define` are made: its meaning in numpy, what layers compute, and how it is found
where an exporter wrote it out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache

from xdsl.builder import Builder
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block, SSAValue
from xdsl.irdl import irdl_op_definition
from xdsl.rewriter import InsertPoint

from canao.dialects.canao.elementwise import AbsOp, AddOp, DivOp, UnaryOp
from canao.dialects.canao.source import scalar
from canao.dialects.interfaces import CanaoOp


class DefinedOp(UnaryOp, ABC):
    """A function of one floating-point number that stands for simpler operations."""

    @staticmethod
    @abstractmethod
    def define(value: SSAValue, builder: Builder) -> SSAValue:
        """Builds the operations that this one stands for; returns their result.

        They are elementwise, or constants of one number, and use `value` at least once.
        """

    def computations(self) -> int:
        return _operators(type(self))


@cache
def _operators(kind: type[DefinedOp]) -> int:
    """The computations of a definition."""
    block = Block(arg_types=[TensorType(f32, [])])
    kind.define(block.args[0], Builder(InsertPoint.at_end(block)))
    return sum(op.computations() for op in block.ops if isinstance(op, CanaoOp))


@irdl_op_definition
class SoftsignOp(DefinedOp):
    """`a / (1 + |a|)`; NaN for infinities."""

    name = "canao.softsign"

    @staticmethod
    def define(value: SSAValue, builder: Builder) -> SSAValue:
        size = builder.insert(AbsOp(value)).result
        total = builder.insert(AddOp(size, scalar(builder, 1.0, value))).result
        return builder.insert(DivOp(value, total)).result
