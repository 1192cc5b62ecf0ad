"""Which operations form sums and products, found from the laws that they declare."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from xdsl.ir import Operation, SSAValue

from canao.dialects.canao import Canao
from canao.dialects.canao.elementwise import BinaryOp, UnaryOp
from canao.dialects.canao.types import is_float
from canao.dialects.interfaces import CanaoOp


@dataclass(frozen=True)
class Monoid:
    """An associative, commutative operation and what undoes it.

    Add with subtract and negate is one, multiply with divide another.
    """

    op: type[BinaryOp]
    inverse: type[BinaryOp] | None
    """`inverse(op(a, b), b) == a`."""
    negation: type[UnaryOp] | None
    """The inverse of one element."""
    identity: float | None
    over: tuple[type[Operation], ...]
    """The operations that this one distributes over."""


@cache
def monoids() -> dict[type[Operation], Monoid]:
    """The monoid of each associative and commutative operation of the dialect."""
    known = [op for op in Canao.operations if issubclass(op, CanaoOp)]

    def undoing(op: type[Operation], kind: type[Operation]) -> type[Operation] | None:
        return next((o for o in known if o.LAWS.inverts is op and issubclass(o, kind)), None)

    found: dict[type[Operation], Monoid] = {}
    for op in known:
        if not issubclass(op, BinaryOp) or not (op.LAWS.associative and op.LAWS.commutative):
            continue
        inverse, negation = undoing(op, BinaryOp), undoing(op, UnaryOp)
        assert inverse is None or issubclass(inverse, BinaryOp)
        assert negation is None or issubclass(negation, UnaryOp)
        found[op] = Monoid(op, inverse, negation, op.LAWS.identity, op.LAWS.distributes_over)
    return found


@cache
def role_of(op: type[Operation]) -> Monoid | None:
    """The monoid that an operation, its inverse or its negation belongs to."""
    for monoid in monoids().values():
        if op in (monoid.op, monoid.inverse, monoid.negation):
            return monoid
    return None


@cache
def times_over(plus: type[Operation]) -> Monoid | None:
    """The monoid whose operation distributes over `plus`."""
    return next((m for m in monoids().values() if plus in m.over), None)


@cache
def plus_under(times: type[Operation]) -> Monoid | None:
    """The monoid that `times` distributes over."""
    return next((m for p, m in monoids().items() if p in monoids()[times].over), None)


def laws_hold_for(monoid: Monoid, op: Operation) -> bool:
    """Whether an operation of a monoid obeys its laws for the numbers that it is given.

    Integers have no quotients.
    """
    value: SSAValue = op.results[0]
    if is_float(value):
        return True
    is_quotient = type(op) is monoid.inverse and bool(monoid.over)
    return not is_quotient


def rounds(monoid: Monoid, value: SSAValue) -> bool:
    """Whether the order in which a monoid is applied shows in the last digits.

    It does for sums and products of floating-point numbers, not for operations
    without an inverse: a maximum is one of its operands.
    """
    return is_float(value) and monoid.inverse is not None
