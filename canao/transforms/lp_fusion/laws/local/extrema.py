"""Laws of the larger and the smaller of two numbers."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from xdsl.builder import Builder
from xdsl.ir import Operation, SSAValue

from canao.dialects.canao import AddOp, MaximumOp, MinimumOp
from canao.transforms.constants import splat_value
from canao.transforms.lp_fusion.laws.local.local import IsConstant, LocalLaw


class TakeTermOutOfExtremum(LocalLaw):
    """`max(x + c, y + c) -> max(x, y) + c` if `c` is constant; so with `min`.

    Rounding is monotone, so the larger number gives the larger sum, and the sums are
    the same; NaN comes out where it went in. Only an infinite `c` would make a
    difference: `-inf + inf` is NaN, which the larger operand may hide.
    """

    name = "take-term-out-of-extremum"
    exact = True
    kinds = (MaximumOp, MinimumOp)

    def propose(self, op: Operation, is_constant: IsConstant, builder: Builder) -> SSAValue | None:
        if not isinstance(op, MaximumOp | MinimumOp):
            return None
        for x, c in _terms(op.lhs):
            for y, other in _terms(op.rhs):
                if other is c and is_constant(c) and isfinite(splat_value(c) or 0.0):
                    extremum = builder.insert(type(op)(x, y)).result
                    return builder.insert(AddOp(extremum, c)).result
        return None


def _terms(value: SSAValue) -> Iterator[tuple[SSAValue, SSAValue]]:
    """A sum as one term and the other, both ways round."""
    owner = value.owner
    if isinstance(owner, AddOp):
        yield owner.lhs, owner.rhs
        yield owner.rhs, owner.lhs
