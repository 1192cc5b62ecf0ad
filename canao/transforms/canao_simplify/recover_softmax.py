"""Softmax, found by its arithmetic."""

from __future__ import annotations

from math import inf

from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from canao.dialects.canao import (
    CastOp,
    CompareOp,
    DivOp,
    ExpOp,
    MulOp,
    NotOp,
    ReciprocalOp,
    ReduceMaxOp,
    ReduceMinOp,
    ReduceSumOp,
    SelectOp,
    SoftmaxOp,
    SubOp,
)
from canao.dialects.canao.elementwise import Predicate
from canao.dialects.canao.reduce import ReduceOp
from canao.dialects.canao.types import element_of, i1, shape_of
from canao.transforms.constants import is_splat_of


def _only_axis(op: ReduceOp) -> int | None:
    axes = op.axis_numbers()
    return axes[0] if len(axes) == 1 else None


class RecoverSoftmax(RewritePattern):
    """`e ** (a - max a) / sum(e ** (a - max a)) -> softmax(a)`, along one axis.

    The division may be a product with the reciprocal.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: DivOp | MulOp, rewriter: PatternRewriter, /) -> None:
        for power, total in self._quotients(op):
            operand = self._operand(power, total)
            if operand is not None and shape_of(operand[0]) == shape_of(op.result):
                rewriter.replace(op, SoftmaxOp(*operand))
                return

    @staticmethod
    def _quotients(op: DivOp | MulOp) -> list[tuple[SSAValue, SSAValue]]:
        if isinstance(op, DivOp):
            return [(op.lhs, op.rhs)]
        sides = ((op.lhs, op.rhs), (op.rhs, op.lhs))
        return [(a, b.owner.operand) for a, b in sides if isinstance(b.owner, ReciprocalOp)]

    @staticmethod
    def _operand(power: SSAValue, total: SSAValue) -> tuple[SSAValue, int] | None:
        exponential, fold = power.owner, total.owner
        if not isinstance(exponential, ExpOp) or not isinstance(fold, ReduceSumOp):
            return None
        axis, shifted = _only_axis(fold), exponential.operand.owner
        if axis is None or fold.operand is not power or not isinstance(shifted, SubOp):
            return None
        largest = shifted.rhs.owner
        if not isinstance(largest, ReduceMaxOp) or _only_axis(largest) != axis:
            return None
        return (shifted.lhs, axis) if largest.operand is shifted.lhs else None


def _all_of(value: SSAValue) -> tuple[SSAValue, int] | None:
    """`(c, axis)` if the value tells whether the truth values `c` all hold along an axis."""
    fold = value.owner
    if isinstance(fold, CompareOp) and fold.predicate.data == Predicate.NE:
        fold = fold.lhs.owner if is_splat_of(fold.rhs, 0) else fold
    if isinstance(fold, CastOp) and element_of(fold.result) == i1:
        fold = fold.operand.owner
    if not isinstance(fold, ReduceMinOp):
        return None
    axis, truth = _only_axis(fold), fold.operand
    if isinstance(truth.owner, CastOp):
        truth = truth.owner.operand
    return None if axis is None or element_of(truth) != i1 else (truth, axis)


def _any_of(value: SSAValue) -> tuple[SSAValue, int] | None:
    """`(c, axis)` if the value tells whether a truth value of `c` holds along an axis."""
    fold = value.owner
    if isinstance(fold, CompareOp) and fold.predicate.data in (Predicate.NE, Predicate.GT):
        fold = fold.lhs.owner if is_splat_of(fold.rhs, 0) else fold
    if isinstance(fold, CastOp) and element_of(fold.result) == i1:
        fold = fold.operand.owner
    if not isinstance(fold, ReduceMaxOp | ReduceSumOp):
        return None
    axis, truth = _only_axis(fold), fold.operand
    if isinstance(truth.owner, CastOp):
        truth = truth.owner.operand
    return None if axis is None or element_of(truth) != i1 else (truth, axis)


def _compared_with_lowest(value: SSAValue, predicate: Predicate) -> SSAValue | None:
    """`a` if the value is `a == -inf` (or `a != -inf`, by the predicate)."""
    owner = value.owner
    if isinstance(owner, NotOp):
        inverse = Predicate.NE if predicate == Predicate.EQ else Predicate.EQ
        return _compared_with_lowest(owner.operand, inverse)
    if not isinstance(owner, CompareOp) or owner.predicate.data != predicate:
        return None
    for a, b in ((owner.lhs, owner.rhs), (owner.rhs, owner.lhs)):
        if is_splat_of(b, -inf):
            return a
    return None


def _masked_rows(value: SSAValue) -> tuple[SSAValue, int] | None:
    """`(a, axis)` if the value tells which rows of `a` are -inf throughout."""
    every = _all_of(value)
    if every is not None:
        operand = _compared_with_lowest(every[0], Predicate.EQ)
        return None if operand is None else (operand, every[1])
    owner = value.owner
    some = _any_of(owner.operand) if isinstance(owner, NotOp) else None
    operand = None if some is None else _compared_with_lowest(some[0], Predicate.NE)
    return None if some is None or operand is None else (operand, some[1])


def _unmasked_rows(value: SSAValue) -> tuple[SSAValue, int] | None:
    """`(a, axis)` if the value tells which rows of `a` are not -inf throughout."""
    some = _any_of(value)
    operand = None if some is None else _compared_with_lowest(some[0], Predicate.NE)
    return None if some is None or operand is None else (operand, some[1])


class ZeroMaskedRows(RewritePattern):
    """`all(a == -inf) ? 0 : softmax(a) -> softmax(a), masked_rows_to_zero`.

    As attention needs it, where all keys of a row may be masked. "All" is a
    minimum of truth values, or the complement of "any" of their complements.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SelectOp, rewriter: PatternRewriter, /) -> None:
        sides = (
            (op.lhs, op.rhs, _masked_rows(op.condition)),
            (op.rhs, op.lhs, _unmasked_rows(op.condition)),
        )
        for zero, value, rows in sides:
            softmax = value.owner
            if rows is None or not isinstance(softmax, SoftmaxOp) or not is_splat_of(zero, 0.0):
                continue
            if rows == (softmax.operand, softmax.axis.value.data):
                rewriter.replace(op, SoftmaxOp(*rows, masked_rows_to_zero=True))
                return


SOFTMAX_PATTERNS: tuple[type[RewritePattern], ...] = (RecoverSoftmax, ZeroMaskedRows)
