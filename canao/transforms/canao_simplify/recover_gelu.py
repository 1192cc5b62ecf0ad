"""GELU, found by its arithmetic."""

from __future__ import annotations

from math import isclose, pi, sqrt

from xdsl.ir import SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from canao.dialects.canao import AddOp, ErfOp, GeluOp, MulOp, TanhOp
from canao.dialects.canao.types import is_float, shape_of
from canao.transforms.canao_simplify.factors import (
    TOLERANCE,
    Factors,
    factorise,
    split_sum_with_number,
)
from canao.transforms.canao_simplify.recover_layer_norm import rebuild_product

BEND = 0.044715
"""The weight of the cube in the tanh form."""


def _is_number(found: float, wanted: float) -> bool:
    return isclose(found, wanted, rel_tol=TOLERANCE)


def _is_by_erf(argument: SSAValue, a: SSAValue) -> bool:
    """Whether the argument is `a / sqrt(2)`."""
    factors = factorise(argument, stop=a)
    return factors.is_power(a, 1) and _is_number(factors.number, sqrt(0.5))


def _is_bent(value: SSAValue, a: SSAValue) -> bool:
    """Whether the value is `a + 0.044715 * a ** 3`."""
    owner = value.owner
    if not isinstance(owner, AddOp):
        return False
    for straight, cube in ((owner.lhs, owner.rhs), (owner.rhs, owner.lhs)):
        factors = factorise(cube, stop=a)
        if straight is a and factors.is_power(a, 3) and _is_number(factors.number, BEND):
            return True
    return False


def _is_bend(value: SSAValue, a: SSAValue) -> bool:
    """Whether the value is `1 + 0.044715 * a ** 2`."""
    parts = split_sum_with_number(value)
    if parts is None or parts[1] != 1:
        return False
    factors = factorise(parts[0], stop=a)
    return factors.is_power(a, 2) and _is_number(factors.number, BEND)


def _is_by_tanh(argument: SSAValue, a: SSAValue) -> bool:
    """Whether the argument is `sqrt(2 / pi) * (a + 0.044715 * a ** 3)`."""
    factors = factorise(argument, stop=a)
    if factors.below or not _is_number(factors.number, sqrt(2 / pi)):
        return False
    if len(factors.above) == 1:
        return _is_bent(factors.above[0], a)
    if len(factors.above) != 2 or a not in factors.above:
        return False
    return any(_is_bend(f, a) for f in factors.above if f is not a)


_CURVES = ((ErfOp, "none", _is_by_erf), (TanhOp, "tanh", _is_by_tanh))


class RecoverGelu(RewritePattern):
    """`c * a * (1 + erf(a / sqrt 2)) -> 2 * c * gelu(a)`, and the same by tanh.

    The tanh form has `tanh(sqrt(2 / pi) * (a + 0.044715 * a ** 3))` instead.
    The factors stand in any order; `c` is any product of other factors.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MulOp, rewriter: PatternRewriter, /) -> None:
        if not is_float(op.result):
            return
        factors = factorise(op.result, single_use=True)
        for share in factors.above:
            parts = split_sum_with_number(share)
            if parts is None or parts[1] != 1:
                continue
            for a in factors.above:
                form = self._form(parts[0], a)
                if form is None or shape_of(a) != shape_of(op.result):
                    continue
                above = list(factors.above)
                above.remove(share)
                above.remove(a)
                value = rewriter.insert(GeluOp(a, form)).result
                rest = Factors(2 * factors.number, above, factors.below)
                rebuild_product(op, value, rest, rewriter)
                return

    @staticmethod
    def _form(curve: SSAValue, a: SSAValue) -> str | None:
        for op_type, form, matches in _CURVES:
            owner = curve.owner
            if isinstance(owner, op_type) and matches(owner.operand, a):
                return form
        return None


GELU_PATTERNS: tuple[type[RewritePattern], ...] = (RecoverGelu,)
