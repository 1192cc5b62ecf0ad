"""Where the sign of a zero shows: what a law that changes it must know of its result.

`a + 0.0` is `a` but for -0.0. The difference stays one between two zeros through sums and
products, and ends in a sum that starts at 0.0 or in a softmax; it becomes another number where
something is divided by it. What operations make of it they say themselves
(`CanaoOp.SIGN_OF_ZERO`); here the uses of a value are followed to its end.
"""

from __future__ import annotations

from xdsl.ir import Operation, SSAValue

from canao.dialects.canao.types import is_float
from canao.dialects.interfaces import CanaoOp, SignOfZero


def shows_sign_of_zero(value: SSAValue) -> bool:
    """Whether results of the function may tell 0.0 from -0.0 in a floating-point value."""
    pending, seen = [value], {value}
    while pending:
        for use in pending.pop().uses:
            fate = _fate(use.operation)
            if fate is SignOfZero.SHOWN:
                return True
            if fate is SignOfZero.KEPT:
                fresh = [r for r in use.operation.results if is_float(r) and r not in seen]
                seen.update(fresh)
                pending += fresh
    return False


def _fate(op: Operation) -> SignOfZero:
    return op.SIGN_OF_ZERO if isinstance(op, CanaoOp) else SignOfZero.SHOWN
