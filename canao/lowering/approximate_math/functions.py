"""The form of each approximation, as a program of float32 arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from xdsl.dialects.math import ErfOp, ExpOp, TanhOp
from xdsl.ir import Operation

from canao.lowering.approximate_math import coefficients as table
from canao.lowering.approximate_math.arithmetic import Arithmetic, Values

# Outside, e^x is 0 or infinite in float32, and so is the power of two below.
_EXP_LOW, _EXP_HIGH = -88.0, 89.0

# ln 2 in two parts. The first has 9 bits, so that its multiples by an exponent are exact.
_LN2_HIGH = 0.693359375
_LN2_LOW = math.log(2) - _LN2_HIGH

# The bits of 1.5 * 2^23 + 127: adding it rounds to an integer n and leaves n + 127, the
# exponent of 2^n, in the lowest bits.
_BIASED_ROUNDER = 0x4B40007F

# Turns rounding to nearest into rounding down; below one half, so that e^0 has n = 0.
_ALMOST_HALF = 0.5 - 2.0**-25

_MANTISSA_BITS = 23


@dataclass(frozen=True)
class Approximation:
    """How one function of the math dialect is computed in float32."""

    name: str
    build: Callable[[Arithmetic, Values], Values]
    """Emits the operations that make f(x) from x, and returns f(x)."""


def build_exp(a: Arithmetic, x: Values) -> Values:
    """e^x = 2^n e^r with n = floor(x / ln 2) and r = x - n ln 2.

    Rounding down keeps e^r between 1 and 2, so that 2^n has an exponent for
    every normal result, 0 below them and infinity above.
    """
    x = a.clamp(x, _EXP_LOW, _EXP_HIGH)
    quotient = a.multiply_add(x, a.constant(1 / math.log(2)), a.constant(-_ALMOST_HALF))
    rounder = a.constant_of_bits(_BIASED_ROUNDER)
    rounded = a.add(quotient, rounder)
    n = a.subtract(rounded, rounder)
    r = a.multiply_add(n, a.constant(-_LN2_HIGH), x)
    r = a.multiply_add(n, a.constant(-_LN2_LOW), r)
    mantissa = a.polynomial(r, (1.0, *table.EXP))
    return a.multiply(mantissa, a.shift_bits_left(rounded, _MANTISSA_BITS))


def build_erf(a: Arithmetic, x: Values) -> Values:
    """Erf x = x P(x^2 - centre) up to the clamp, where it is 1.

    About the middle of the interval the terms of P do not cancel, so it needs
    no division to be accurate. At the clamp, 4, P is exactly 1/4: their product is 1 before
    it is rounded too, so that `1 + erf x`, as one multiply-add, is exactly 0 for small x.
    """
    x = a.clamp(x, -table.ERF_CLAMP, table.ERF_CLAMP)
    v = a.multiply_add(x, x, a.constant(-table.ERF_CENTRE))
    return a.multiply(x, a.polynomial(v, table.ERF))


def build_tanh(a: Arithmetic, x: Values) -> Values:
    """Tanh x = x P(x^2) / Q(x^2) up to the clamp, where it is 1."""
    x = a.clamp(x, -table.TANH_CLAMP, table.TANH_CLAMP)
    v = a.multiply(x, x)
    above = a.multiply(x, a.polynomial(v, table.TANH_NUMERATOR))
    return a.divide(above, a.polynomial(v, table.TANH_DENOMINATOR))


APPROXIMATIONS: dict[type[Operation], Approximation] = {
    ExpOp: Approximation("exp", build_exp),
    ErfOp: Approximation("erf", build_erf),
    TanhOp: Approximation("tanh", build_tanh),
}
"""The functions that have an approximation; all others stay calls of libm."""
