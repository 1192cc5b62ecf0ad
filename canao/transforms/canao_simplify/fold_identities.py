"""Arithmetic that changes nothing, by the laws that operations declare."""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign, isfinite

import numpy as np
from xdsl.ir import Attribute, Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from canao.dialects.canao import (
    AndOp,
    BroadcastOp,
    CastOp,
    CompareOp,
    DivOp,
    MaximumOp,
    MinimumOp,
    MulOp,
    NegOp,
    NotOp,
    OrOp,
    SelectOp,
)
from canao.dialects.canao.elementwise import BinaryOp, Predicate
from canao.dialects.canao.rounding import RoundingOp
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of, i1, is_float, shape_of
from canao.transforms.constants import build_splat, has_normal_product, is_splat_of, splat_value
from canao.transforms.signs_of_zero import shows_sign_of_zero


def replace_with(op: Operation, value: SSAValue, rewriter: PatternRewriter) -> None:
    """Replaces the only result of `op` by `value`, broadcast to its shape."""
    if shape_of(value) != shape_of(op.results[0]):
        value = rewriter.insert(BroadcastOp(value, shape_of(op.results[0]))).result
    rewriter.replace(op, [], [value])


def _sides(op: BinaryOp) -> Sequence[tuple[SSAValue, SSAValue]]:
    """The operands as (kept, constant): both ways round where the operation commutes."""
    forward = (op.lhs, op.rhs)
    return (forward, (op.rhs, op.lhs)) if op.LAWS.commutative else (forward,)


def _is_identity(op: BinaryOp, number: SSAValue) -> bool:
    """Whether an operand is the identity of `op`: of floats with its sign, if a zero's shows."""
    identity = op.LAWS.identity
    found = splat_value(number)
    if identity is None or found is None or found != identity:
        return False
    same_sign = copysign(1, found) == copysign(1, identity)
    return same_sign or not is_float(number) or not shows_sign_of_zero(op.result)


class DropIdentities(RewritePattern):
    """`f(a, e) -> a`, if `e` is the identity of `f`; also `f(e, a)` if `f` commutes.

    `a + 0.0` and `a - -0.0` are no identities where `a` is -0.0: only where no result
    shows the sign of a zero.
    """

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        if not isinstance(op, BinaryOp):
            return
        for kept, number in _sides(op):
            if _is_identity(op, number):
                replace_with(op, kept, rewriter)
                return


_TRUTH: dict[type[BinaryOp], bool] = {AndOp: True, OrOp: False}
"""The truth value that leaves the other operand as it is; its complement decides alone."""


class FoldTruthValues(RewritePattern):
    """`a and true -> a`, `a and false -> false`, `a or false -> a`, `a or true -> true`."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        neutral = _TRUTH.get(type(op))  # pyright: ignore[reportArgumentType]
        if neutral is None or not isinstance(op, BinaryOp) or element_of(op.lhs) != i1:
            return
        for kept, other in _sides(op):
            truth = splat_value(other)
            if truth is not None:
                replace_with(op, kept if bool(truth) == neutral else other, rewriter)
                return


class DropRepeatedOperand(RewritePattern):
    """`f(a, a) -> a` for and, or, maximum, minimum."""

    @op_type_rewrite_pattern
    def match_and_rewrite(
        self, op: AndOp | OrOp | MaximumOp | MinimumOp, rewriter: PatternRewriter, /
    ) -> None:
        if op.lhs is op.rhs:
            rewriter.replace(op, [], [op.lhs])


class DropDoubleInverse(RewritePattern):
    """`-(-a) -> a` and `not (not a) -> a`."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: NegOp | NotOp, rewriter: PatternRewriter, /) -> None:
        inner = op.operand.owner
        if isinstance(inner, NegOp | NotOp) and type(inner) is type(op):
            rewriter.replace(op, [], [inner.operand])


_COMPLEMENT = {Predicate.EQ: Predicate.NE, Predicate.NE: Predicate.EQ}
_COMPLEMENT_OF_INTEGERS = _COMPLEMENT | {
    Predicate.LT: Predicate.GE,
    Predicate.GE: Predicate.LT,
    Predicate.GT: Predicate.LE,
    Predicate.LE: Predicate.GT,
}


class InvertComparison(RewritePattern):
    """`not (a == b) -> a != b`; for `<` and its kin only of integers, as NaN has no order."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: NotOp, rewriter: PatternRewriter, /) -> None:
        inner = op.operand.owner
        if not isinstance(inner, CompareOp):
            return
        table = _COMPLEMENT if is_float(inner.lhs) else _COMPLEMENT_OF_INTEGERS
        inverse = table.get(Predicate(inner.predicate.data))
        if inverse is not None:
            rewriter.replace(op, CompareOp(inverse, inner.lhs, inner.rhs))


class FoldTruthComparison(RewritePattern):
    """`(n of a) != 0 -> a` and `(n of a) == 0 -> not a`, if `n` converts truth to numbers."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: CompareOp, rewriter: PatternRewriter, /) -> None:
        cast = op.lhs.owner
        if not isinstance(cast, CastOp) or element_of(cast.operand) != i1:
            return
        if not is_splat_of(op.rhs, 0) or shape_of(op.lhs) != shape_of(op.result):
            return
        if op.predicate.data == Predicate.NE:
            rewriter.replace(op, [], [cast.operand])
        elif op.predicate.data == Predicate.EQ:
            rewriter.replace(op, NotOp(cast.operand))


class FoldSelect(RewritePattern):
    """`true ? a : b -> a`, `c ? a : a -> a`, `(not c) ? a : b -> c ? b : a`."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SelectOp, rewriter: PatternRewriter, /) -> None:
        truth = splat_value(op.condition)
        if truth is not None or op.lhs is op.rhs:
            replace_with(op, op.rhs if truth == 0 else op.lhs, rewriter)
            return
        inner = op.condition.owner
        if isinstance(inner, NotOp):
            rewriter.replace(op, SelectOp(inner.operand, op.rhs, op.lhs))


def preserves_values(source: Attribute, target: Attribute) -> bool:
    """Whether a conversion of elements loses nothing."""
    return np.can_cast(dtype_of_element(source), dtype_of_element(target), "safe") and not (
        dtype_of_element(source).kind == "i" and dtype_of_element(target).kind == "f"
    )


class FoldCasts(RewritePattern):
    """`cast(a : t) : t -> a`; `cast(cast(a)) -> cast(a)` if the inner one loses nothing."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: CastOp, rewriter: PatternRewriter, /) -> None:
        target = element_of(op.result)
        if element_of(op.operand) == target:
            rewriter.replace(op, [], [op.operand])
            return
        inner = op.operand.owner
        if isinstance(inner, CastOp) and preserves_values(
            element_of(inner.operand), element_of(op.operand)
        ):
            rewriter.replace(op, CastOp(inner.operand, target))


def _is_rounded(value: SSAValue) -> bool:
    """Whether a floating-point number was just made a whole one."""
    return isinstance(value.owner, RoundingOp)


class DivideByMultiplying(RewritePattern):
    """`a / c -> a * (1 / c)`, if `c` is a number and both `c` and `1 / c` are normal floats.

    And if `a` was not rounded just before: 21 / 10 is the number written 2.1, 21 * 0.1 is not.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: DivOp, rewriter: PatternRewriter, /) -> None:
        number = splat_value(op.rhs)
        if not is_float(op.rhs) or not number or splat_value(op.lhs) is not None:
            return
        if _is_rounded(op.lhs):
            return
        smallest = float(np.finfo(dtype_of_element(element_of(op.rhs)).name).tiny)
        if not isfinite(number) or not smallest <= abs(number) <= 1 / smallest:
            return
        inverse = build_splat(rewriter, 1.0 / number, op.rhs, shape_of(op.rhs))
        rewriter.replace(op, MulOp(op.lhs, inverse))


class JoinNumbersOfProduct(RewritePattern):
    """`(a * c) * d -> a * (c * d)`, if `c`, `d` are numbers and `a * c` has no other use.

    And if `c * d` is a normal float, or one of them is 0: a product that overflows
    would make 0 a NaN, and one that vanishes an infinity.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MulOp, rewriter: PatternRewriter, /) -> None:
        if not is_float(op.result):
            return
        for product, outer in _sides(op):
            inner = product.owner
            if not isinstance(inner, MulOp) or not product.has_one_use():
                continue
            d = splat_value(outer)
            if d is None:
                continue
            for a, number in _sides(inner):
                c = splat_value(number)
                if c is not None and has_normal_product(c, d, a):
                    joined = build_splat(rewriter, c * d, a)
                    replace_with(op, rewriter.insert(MulOp(a, joined)).result, rewriter)
                    return


IDENTITY_PATTERNS: tuple[type[RewritePattern], ...] = (
    DropIdentities,
    FoldTruthValues,
    DropRepeatedOperand,
    DropDoubleInverse,
    InvertComparison,
    FoldTruthComparison,
    FoldSelect,
    FoldCasts,
    DivideByMultiplying,
    JoinNumbersOfProduct,
)
