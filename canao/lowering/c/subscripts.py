"""Affine expressions as sums of C variables, simplified by what is known of their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
    AffineSymExpr,
)

from canao.lowering.c.errors import Unprintable

Interval: TypeAlias = tuple[int | None, int | None]
"""Least and greatest value, both included; None where unknown."""
Bounds: TypeAlias = dict[str, Interval]
"""What is known of variables and of divided subexpressions, by their text."""

_UNKNOWN: Interval = (None, None)


@dataclass(frozen=True)
class Linear:
    """A constant and C expressions ("atoms"), each times a coefficient other than 0."""

    terms: dict[str, int]
    constant: int

    def plus(self, other: Linear) -> Linear:
        """The sum of two."""
        terms = dict(self.terms)
        for atom, factor in other.terms.items():
            terms[atom] = terms.get(atom, 0) + factor
        return Linear({a: f for a, f in terms.items() if f}, self.constant + other.constant)

    def times(self, factor: int) -> Linear:
        """A multiple of it."""
        if factor == 0:
            return Linear({}, 0)
        return Linear({a: f * factor for a, f in self.terms.items()}, self.constant * factor)

    def split(self, divisor: int) -> tuple[Linear, Linear]:
        """`(q, r)` with `self == divisor * q + r`, `r` without multiples of the divisor."""
        multiples = {a: f // divisor for a, f in self.terms.items() if f % divisor == 0}
        rest = {a: f for a, f in self.terms.items() if f % divisor}
        return (
            Linear(multiples, self.constant // divisor),
            Linear(rest, self.constant % divisor),
        )

    def is_multiple_of(self, factor: int) -> bool:
        """Whether it is a multiple of a number whatever its atoms are."""
        return all(f % factor == 0 for f in (*self.terms.values(), self.constant))

    def interval(self, bounds: Bounds) -> Interval:
        """The values that it can take."""
        low: int | None = self.constant
        high: int | None = self.constant
        for atom, factor in self.terms.items():
            least, most = bounds.get(atom, _UNKNOWN)
            if factor < 0:
                least, most = most, least
            low = None if low is None or least is None else low + factor * least
            high = None if high is None or most is None else high + factor * most
        return low, high

    def __str__(self) -> str:
        if not self.terms:
            return str(self.constant)
        positive = [(a, f) for a, f in self.terms.items() if f > 0]
        negative = [(a, -f) for a, f in self.terms.items() if f < 0]
        texts = [a if f == 1 else f"{a} * {f}" for a, f in positive]
        sum_text = " + ".join(texts)
        if self.constant > 0:
            sum_text = f"{sum_text} + {self.constant}" if sum_text else str(self.constant)
        for atom, factor in negative:
            product = atom if factor == 1 else f"{atom} * {factor}"
            sum_text = f"{sum_text} - {product}" if sum_text else f"-{product}"
        if self.constant < 0:
            sum_text = f"{sum_text} - {-self.constant}"
        return sum_text


Division: TypeAlias = Callable[[str, str, int], str]
"""Prints a division ("floordiv" or "mod") of an expression that may be negative."""


@dataclass(frozen=True)
class Subscripts:
    """Evaluates affine expressions over the variables of one function."""

    bounds: Bounds
    divide_any: Division

    def floordiv(self, value: Linear, divisor: int) -> Linear:
        """`value` divided by a positive number, rounded down."""
        whole, rest = value.split(divisor)
        low, high = rest.interval(self.bounds)
        if low is not None and high is not None and low // divisor == high // divisor:
            return whole.plus(Linear({}, low // divisor))
        atom = self._atom("floordiv", "/", rest, divisor, low)
        self.bounds[atom] = (
            None if low is None else low // divisor,
            None if high is None else high // divisor,
        )
        return whole.plus(Linear({atom: 1}, 0))

    def mod(self, value: Linear, divisor: int) -> Linear:
        """What `floordiv` leaves."""
        _, rest = value.split(divisor)
        low, high = rest.interval(self.bounds)
        if low is not None and high is not None and low // divisor == high // divisor:
            return rest.plus(Linear({}, -divisor * (low // divisor)))
        atom = self._atom("mod", "%", rest, divisor, low)
        self.bounds[atom] = (0, divisor - 1)
        return Linear({atom: 1}, 0)

    def _atom(self, kind: str, symbol: str, value: Linear, divisor: int, low: int | None) -> str:
        if low is None or low < 0:
            return self.divide_any(kind, str(value), divisor)
        alone = value.constant == 0 and list(value.terms.values()) == [1]
        text = str(value) if alone else f"({value})"
        return f"({text} {symbol} {divisor})"

    def evaluate(self, expression: AffineExpr, operands: Sequence[Linear], dims: int) -> Linear:
        """The value of an expression, whose symbols follow `dims` dimensions in `operands`."""
        if isinstance(expression, AffineConstantExpr):
            return Linear({}, expression.value)
        if isinstance(expression, AffineDimExpr):
            return operands[expression.position]
        if isinstance(expression, AffineSymExpr):
            return operands[dims + expression.position]
        if not isinstance(expression, AffineBinaryOpExpr):
            raise Unprintable(f"unknown affine expression {expression}")
        left = self.evaluate(expression.lhs, operands, dims)
        right = self.evaluate(expression.rhs, operands, dims)
        return self._combine(expression.kind, left, right)

    def _combine(self, kind: AffineBinaryOpKind, left: Linear, right: Linear) -> Linear:
        if kind is AffineBinaryOpKind.Add:
            return left.plus(right)
        if kind is AffineBinaryOpKind.Mul and not left.terms:
            return right.times(left.constant)
        if right.terms:
            raise Unprintable(f"'{kind.get_token()}' by something other than a constant")
        if kind is AffineBinaryOpKind.Mul:
            return left.times(right.constant)
        if right.constant <= 0:
            raise Unprintable(f"'{kind.get_token()}' by {right.constant}, which is not positive")
        if kind is AffineBinaryOpKind.Mod:
            return self.mod(left, right.constant)
        if kind is AffineBinaryOpKind.FloorDiv:
            return self.floordiv(left, right.constant)
        return self.floordiv(left.plus(Linear({}, right.constant - 1)), right.constant)

    def results(self, affine_map: AffineMap, operands: Sequence[Linear]) -> list[Linear]:
        """The values of all results of a map."""
        dims = affine_map.num_dims
        return [self.evaluate(result, operands, dims) for result in affine_map.results]
