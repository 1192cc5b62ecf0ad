"""Scales move into weights, where they cost nothing at run time."""

from __future__ import annotations

from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from canao.dialects.canao import MulOp
from canao.dialects.canao.reorganise import MovingOp
from canao.dialects.canao.types import is_float, shape_of
from canao.dialects.interfaces import CanaoOp
from canao.transforms.constants import (
    build_splat,
    has_normal_product,
    is_constant_expression,
    splat_value,
)

_LEAST = 1e-18
"""The least scale that moves, and the inverse of the largest."""


class Scaling:
    """Moves `value * number` towards the weights that `value` is made from.

    The ways down are those that the operations declare: a linear operation
    takes the scale in one of the operands that it is linear in, and one that
    multiplication distributes over, in all of them. A value on the way must
    have no other use, as it changes.
    """

    def __init__(self, number: float) -> None:
        self.number = number

    def ways(self, op: Operation) -> list[tuple[int, ...]]:
        """Sets of operands, each of which can take the scale for the whole operation."""
        if isinstance(op, MovingOp):
            return [(0,)]
        if not isinstance(op, CanaoOp):
            return []
        if isinstance(op, MulOp.LAWS.distributes_over):
            return [(0, 1)]
        return [(n,) for n in op.LAWS.linear_in]

    def fits(self, value: SSAValue) -> bool:
        """Whether constant expressions can take the whole scale."""
        constant = splat_value(value)
        if constant is not None:
            return has_normal_product(constant, self.number, value)
        if not value.has_one_use():
            return False
        return is_constant_expression(value) or self._way(value) is not None

    def _way(self, value: SSAValue) -> tuple[int, ...] | None:
        op = value.owner
        if not isinstance(op, Operation):
            return None
        # Constant operands first: what they take costs nothing.
        ways = sorted(
            self.ways(op),
            key=lambda way: not all(is_constant_expression(op.operands[n]) for n in way),
        )
        for way in ways:
            if all(self.fits(op.operands[n]) for n in way):
                return way
        return None

    def apply(self, value: SSAValue, rewriter: PatternRewriter) -> SSAValue:
        """Builds `value * number`; `fits(value)` must hold."""
        if is_constant_expression(value):
            return self._scale_constant(value, rewriter)
        op, way = value.owner, self._way(value)
        assert isinstance(op, Operation)
        assert way is not None
        operands = list(op.operands)
        for n in way:
            operands[n] = self.apply(operands[n], rewriter)
        scaled = type(op).create(
            operands=operands, properties=op.properties, result_types=op.result_types
        )
        return rewriter.insert(scaled).results[0]

    def _scale_constant(self, value: SSAValue, rewriter: PatternRewriter) -> SSAValue:
        number = build_splat(rewriter, self.number, value)
        return rewriter.insert(MulOp(value, number)).result


class MoveScaleIntoWeights(RewritePattern):
    """`(x @ w) * c -> x @ (w * c)`, `(x @ w + b) * c -> x @ (w * c) + b * c`, and the like.

    If `c` is between 1e-18 and 1e18 in size, so that weights stay finite, all of it
    can move into weights and constants, and no value on the way has another use.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MulOp, rewriter: PatternRewriter, /) -> None:
        if not is_float(op.result):
            return
        for value, other in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
            number = splat_value(other)
            if (
                not number
                or not _LEAST <= abs(number) <= 1 / _LEAST
                or shape_of(value) != shape_of(op.result)
            ):
                continue
            scaling = Scaling(number)
            if not is_constant_expression(value) and scaling.fits(value):
                rewriter.replace(op, [], [scaling.apply(value, rewriter)])
                return


SCALE_PATTERNS: tuple[type[RewritePattern], ...] = (MoveScaleIntoWeights,)
