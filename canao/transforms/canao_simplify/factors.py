"""Products seen as a bag of factors, so that no pattern depends on their order."""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.ir import SSAValue

from canao.dialects.canao import AddOp, CastOp, DivOp, MulOp, NegOp, PowOp
from canao.dialects.canao.types import is_float
from canao.transforms.constants import splat_value

TOLERANCE = 1e-6
"""How far a number in a model may be, relatively, from the one it stands for."""

_MOST_REPEATED = 4


@dataclass
class Factors:
    """`number * product of above / product of below`."""

    number: float = 1.0
    above: list[SSAValue] = field(default_factory=list[SSAValue])
    below: list[SSAValue] = field(default_factory=list[SSAValue])

    def put(self, value: SSAValue, inverse: bool, times: int = 1) -> None:
        """Adds a factor `times` times, above or below the fraction bar."""
        (self.below if inverse else self.above).extend([value] * times)

    def is_power(self, value: SSAValue, exponent: int) -> bool:
        """Whether this is `number * value ** exponent`."""
        return not self.below and self.above == [value] * exponent


def factorise(value: SSAValue, stop: SSAValue | None = None, single_use: bool = False) -> Factors:
    """The factors of a floating-point value.

    `stop` is kept whole. With `single_use`, so is every factor that has another
    use, so that rebuilding the product from its factors repeats no work; but
    numbers are taken out of any factor.
    """
    factors = Factors()
    _collect(value, factors, False, stop, single_use, True)
    return factors


def _is_scaled(value: SSAValue) -> bool:
    """Whether the value is another times a number."""
    owner = value.owner
    if isinstance(owner, MulOp):
        return any(splat_value(v) is not None for v in owner.operands)
    return isinstance(owner, NegOp) or (
        isinstance(owner, DivOp) and splat_value(owner.rhs) is not None
    )


def _collect(
    value: SSAValue,
    into: Factors,
    inverse: bool,
    stop: SSAValue | None,
    single_use: bool,
    root: bool,
) -> None:
    number = splat_value(value)
    if number is not None and number != 0:
        into.number = into.number / number if inverse else into.number * number
        return
    owner = value.owner
    whole = single_use and not root and not value.has_one_use() and not _is_scaled(value)
    if whole or value is stop or not is_float(value):
        into.put(value, inverse)
        return
    if isinstance(owner, MulOp | DivOp):
        below = isinstance(owner, DivOp)
        _collect(owner.lhs, into, inverse, stop, single_use, False)
        _collect(owner.rhs, into, inverse != below, stop, single_use, False)
    elif isinstance(owner, NegOp):
        into.number = -into.number
        _collect(owner.operand, into, inverse, stop, single_use, False)
    elif isinstance(owner, PowOp) and splat_value(owner.rhs) in range(2, _MOST_REPEATED + 1):
        into.put(owner.lhs, inverse, int(splat_value(owner.rhs) or 0))
    else:
        into.put(value, inverse)


def strip_casts(value: SSAValue) -> SSAValue:
    """The value before conversions between floating-point types."""
    while isinstance(owner := value.owner, CastOp) and is_float(owner.operand):
        if not is_float(value):
            break
        value = owner.operand
    return value


def split_sum_with_number(value: SSAValue) -> tuple[SSAValue, float] | None:
    """`(a, c)` for `a + c` with a number `c`, in either order."""
    owner = value.owner
    if not isinstance(owner, AddOp):
        return None
    for a, b in ((owner.lhs, owner.rhs), (owner.rhs, owner.lhs)):
        number = splat_value(b)
        if number is not None:
            return a, number
    return None
