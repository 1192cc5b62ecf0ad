"""Where results decide: what a law that changes rounding must know of its result.

A difference in the last place of a number stays one through arithmetic. It becomes a
difference of 1, or another choice, where the number is rounded to an integer, compared or
converted: `floor(41 * (1 / 41))` is 0. So it does at the edge of a function's domain: the
root of 0 is 0, that of what a multiply-add leaves of `x * x - x * x` may be NaN. What
operations decide by, they say themselves (`CanaoOp.decides_by`); here their operands are
followed back to what is asked about.

Sums whose order is free, products and composites (`CanaoOp.sums_up`) have no fixed last
digits to begin with, whatever laws do. So nothing is followed through them, and a value that
is made from one may be computed in any form.
"""

from __future__ import annotations

from collections.abc import Iterator

from xdsl.ir import Operation, SSAValue

from canao.dialects.canao.types import is_float
from canao.dialects.interfaces import CanaoOp


def decides(value: SSAValue) -> bool:
    """Whether the last digits of a floating-point value may change what is decided by it.

    False of a value that is made from sums in free order, of one that ends in such a sum or in
    a result of the function, and of every value that is no floating-point number.
    """
    if not is_float(value):
        return False
    approximate: dict[SSAValue, bool] = {}
    return any(
        not any(_is_approximate(operand, approximate) for operand in decider.operands)
        for decider in _deciders(value)
    )


def _deciders(value: SSAValue) -> Iterator[Operation]:
    """The operations that decide by a value, or by what is made from it element by element."""
    seen: set[SSAValue] = {value}
    pending = [value]
    while pending:
        for use in pending.pop().uses:
            op = use.operation
            if not isinstance(op, CanaoOp) or op.sums_up():
                continue
            if op.decides_by(use.index):
                yield op
            for result in op.results:
                if result not in seen and is_float(result):
                    seen.add(result)
                    pending.append(result)


def _is_approximate(value: SSAValue, known: dict[SSAValue, bool]) -> bool:
    """Whether a sum in free order goes into a value; `known` keeps the answers."""
    pending = [value]
    while pending:
        owner = pending[-1].owner
        if not is_float(pending[-1]) or not isinstance(owner, CanaoOp):
            known[pending.pop()] = False
        elif owner.sums_up():
            known[pending.pop()] = True
        elif unknown := [v for v in owner.operands if v not in known]:
            pending += unknown
        else:
            known[pending.pop()] = any(known[v] for v in owner.operands)
    return known[value]
