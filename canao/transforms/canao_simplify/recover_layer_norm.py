"""Layer normalisation, found by its arithmetic."""

from __future__ import annotations

from math import isclose

from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from canao.dialects.canao import (
    AddOp,
    DivOp,
    LayerNormOp,
    MulOp,
    PowOp,
    ReciprocalOp,
    ReduceSumOp,
    ReshapeOp,
    RsqrtOp,
    SqrtOp,
    SubOp,
)
from canao.dialects.canao.types import element_of, is_float, shape_of
from canao.transforms.canao_simplify.factors import (
    TOLERANCE,
    Factors,
    factorise,
    split_sum_with_number,
    strip_casts,
)
from canao.transforms.constants import build_splat, is_splat_of, splat_value


def mean_of(value: SSAValue) -> SSAValue | None:
    """`a` if the value is the mean of `a` over its last dimension."""
    factors = factorise(strip_casts(value))
    if factors.below or len(factors.above) != 1:
        return None
    total = strip_casts(factors.above[0]).owner
    if not isinstance(total, ReduceSumOp):
        return None
    shape = shape_of(total.operand)
    if total.axis_numbers() != (len(shape) - 1,):
        return None
    if not isclose(factors.number * shape[-1], 1.0, rel_tol=TOLERANCE):
        return None
    return total.operand


def centred_of(value: SSAValue) -> SSAValue | None:
    """`a` if the value is `a - mean a`; `a` as the subtraction sees it."""
    owner = strip_casts(value).owner
    if not isinstance(owner, SubOp):
        return None
    mean = mean_of(owner.rhs)
    same = mean is not None and strip_casts(mean) is strip_casts(owner.lhs)
    return owner.lhs if same else None


def variance_of(value: SSAValue) -> SSAValue | None:
    """`a`, casts stripped, if the value is the mean of `(a - mean a) ** 2`."""
    square = mean_of(value)
    if square is None:
        return None
    factors = factorise(strip_casts(square))
    if len(factors.above) != 2 or factors.below or factors.number != 1:
        return None
    centred = [centred_of(f) for f in factors.above]
    first, second = (None if c is None else strip_casts(c) for c in centred)
    return first if first is not None and first is second else None


def _deviation(value: SSAValue) -> tuple[SSAValue, float] | None:
    """`(a, epsilon)` if the value is `variance of a + epsilon`."""
    parts = split_sum_with_number(strip_casts(value))
    if parts is None:
        return None
    operand = variance_of(parts[0])
    return None if operand is None or parts[1] < 0 else (operand, parts[1])


def _inverse_deviation(factor: SSAValue, below: bool) -> tuple[SSAValue, float] | None:
    """`(a, epsilon)` if a factor is `1 / sqrt(variance of a + epsilon)`.

    `below` tells on which side of the fraction bar it stands.
    """
    owner = strip_casts(factor).owner
    if not below and isinstance(owner, ReciprocalOp):
        return _inverse_deviation(owner.operand, True)
    if isinstance(owner, DivOp) and not below and is_splat_of(owner.lhs, 1.0):
        return _inverse_deviation(owner.rhs, True)
    if isinstance(owner, SqrtOp if below else RsqrtOp):
        return _deviation(owner.operand)
    if isinstance(owner, PowOp) and is_splat_of(owner.rhs, 0.5 if below else -0.5):
        return _deviation(owner.lhs)
    return None


class RecoverLayerNorm(RewritePattern):
    """`c * (a - mean a) / sqrt(mean((a - mean a) ** 2) + e) -> c * layer_norm(a, 1, 0, e)`.

    Means are over the last dimension; the factors stand in any order, `c` is
    any product of other factors, and any part may be computed in another
    floating-point type.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MulOp | DivOp, rewriter: PatternRewriter, /) -> None:
        if not is_float(op.result):
            return
        factors = factorise(op.result, single_use=True)
        for below, side in ((False, factors.above), (True, factors.below)):
            for inverse in side:
                found = _inverse_deviation(inverse, below)
                if found is not None and self._rewrite(op, factors, inverse, found, rewriter):
                    return

    @staticmethod
    def _rewrite(
        op: MulOp | DivOp,
        factors: Factors,
        inverse: SSAValue,
        found: tuple[SSAValue, float],
        rewriter: PatternRewriter,
    ) -> bool:
        variable, epsilon = found
        for centred in factors.above:
            operand = centred_of(centred)
            if operand is None or strip_casts(operand) is not variable:
                continue
            if element_of(operand) != element_of(op.result):
                continue
            above = [f for f in factors.above if f is not centred and f is not inverse]
            below = [f for f in factors.below if f is not inverse]
            width = shape_of(operand)[-1:]
            one = build_splat(rewriter, 1.0, operand, width)
            zero = build_splat(rewriter, 0.0, operand, width)
            value = rewriter.insert(LayerNormOp(operand, one, zero, epsilon, True)).result
            rebuild_product(op, value, Factors(factors.number, above, below), rewriter)
            return True
        return False


def rebuild_product(
    op: Operation, value: SSAValue, rest: Factors, rewriter: PatternRewriter
) -> None:
    """Replaces `op` by `value` times the other factors."""
    if rest.number != 1:
        number = build_splat(rewriter, rest.number, value)
        value = rewriter.insert(MulOp(value, number)).result
    for factor in rest.above:
        value = rewriter.insert(MulOp(value, factor)).result
    for factor in rest.below:
        value = rewriter.insert(DivOp(value, factor)).result
    rewriter.replace(op, [], [value])


def _as_row(value: SSAValue, width: tuple[int, ...], rewriter: PatternRewriter) -> SSAValue | None:
    """The value as a vector of the last dimension; None if it varies along others."""
    if shape_of(value) == width:
        return value
    if splat_value(value) is not None and len(shape_of(value)) == 0:
        return build_splat(rewriter, splat_value(value) or 0.0, value, width)
    shape = shape_of(value)
    if shape[-1:] != width or any(extent != 1 for extent in shape[:-1]):
        return None
    return rewriter.insert(ReshapeOp(value, width)).result


class ScaleLayerNorm(RewritePattern):
    """`layer_norm(a, 1, 0) * s -> layer_norm(a, s, 0)`, and with `+ t -> layer_norm(a, s, t)`.

    `s` and `t` must be vectors of the last dimension, and the norm have no other use.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MulOp | AddOp, rewriter: PatternRewriter, /) -> None:
        for value, other in ((op.lhs, op.rhs), (op.rhs, op.lhs)):
            norm = value.owner
            if not isinstance(norm, LayerNormOp) or not value.has_one_use():
                continue
            if shape_of(value) != shape_of(op.result) or not is_splat_of(norm.shift, 0.0):
                continue
            scaling = isinstance(op, MulOp)
            if scaling and not is_splat_of(norm.scale, 1.0):
                continue
            row = _as_row(other, shape_of(norm.shift), rewriter)
            if row is None:
                continue
            scale, shift = (row, norm.shift) if scaling else (norm.scale, row)
            epsilon, zeros = norm.epsilon.value.data, norm.overflow_to_zero is not None
            # The row may come after the norm in the block: build at this operation.
            rewriter.replace(op, LayerNormOp(norm.operand, scale, shift, epsilon, zeros))
            return


LAYER_NORM_PATTERNS: tuple[type[RewritePattern], ...] = (RecoverLayerNorm, ScaleLayerNorm)

__all__ = ["LAYER_NORM_PATTERNS", "rebuild_product"]
