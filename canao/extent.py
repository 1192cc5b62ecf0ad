"""Extents that are known when a model runs: polynomials in symbols with bounds.

An `Extent` stands where a shape has a number. It adds, multiplies and divides as numbers do, as
far as the result is the same for all values of its symbols, and compares where the answer is.
Type checkers take it for an int; at run time it is none, so that code which needs a number fails
instead of computing with one of many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn

from canao.errors import UndecidedError

Monomial = tuple["Symbol", ...]
"""Symbols whose product a term has, sorted; none for a constant term."""

_VECTOR = 16
"""Elements that the longest vectors have: a long dimension that depends on symbols has room for
whole ones."""

if TYPE_CHECKING:
    _Number = int
else:
    _Number = object


@dataclass(frozen=True, order=True)
class Symbol:
    """A dimension that is known when the model runs: from `low` to `high`, both included."""

    name: str
    low: int
    high: int

    def __hash__(self) -> int:
        return hash(self.name)


class Extent(_Number):
    """A polynomial in symbols with integer coefficients; never a constant.

    Made by `extent_of` and `made_of`, which give an int where nothing depends on a symbol.
    """

    terms: tuple[tuple[Monomial, int], ...]
    """Each product of symbols with its coefficient, sorted; no coefficient is 0."""
    _hash: int

    if not TYPE_CHECKING:

        def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
            self.terms = terms
            self._hash = hash(terms)

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """The symbols that it depends on, sorted."""
        return tuple(sorted({symbol for monomial, _ in self.terms for symbol in monomial}))

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """Numbers that it never falls below and never exceeds; reached if it is linear."""
        low = high = 0
        for monomial, factor in self.terms:
            least = factor * prod(symbol.low for symbol in monomial)
            most = factor * prod(symbol.high for symbol in monomial)
            low, high = low + min(least, most), high + max(least, most)
        return low, high

    def at(self, values: Mapping[str, int]) -> int:
        """The number that it is for values of its symbols, by name."""
        return sum(
            factor * prod(values[symbol.name] for symbol in monomial)
            for monomial, factor in self.terms
        )

    def __str__(self) -> str:
        texts: list[str] = []
        for monomial, factor in self.terms:
            names = " * ".join(symbol.name for symbol in monomial)
            sign = "-" if factor < 0 else "+"
            size = abs(factor)
            text = names if names and size == 1 else " * ".join(filter(None, (names, str(size))))
            texts.append(f"{sign} {text}" if texts else text if factor > 0 else f"-{text}")
        return " ".join(texts)

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Extent) and self.terms == other.terms)

    def __hash__(self) -> int:
        return self._hash

    def __bool__(self) -> bool:
        low, high = self.bounds
        if low > 0 or high < 0:
            return True
        raise UndecidedError(f"whether {self} is 0 depends on {_ranges(self.symbols)}")

    # --------------------------------------------------------------- arithmetic

    def __add__(self, other: int) -> int:
        return made_of((*self.terms, *terms_of(other)))

    def __radd__(self, other: int) -> int:
        return self + other

    def __neg__(self) -> int:
        return self * -1

    def __sub__(self, other: int) -> int:
        return self + other * -1

    def __rsub__(self, other: int) -> int:
        return self * -1 + other

    def __mul__(self, other: int) -> int:
        return made_of(
            (tuple(sorted((*a, *b))), m * n) for a, m in self.terms for b, n in terms_of(other)
        )

    def __rmul__(self, other: int) -> int:
        return self * other

    def __floordiv__(self, other: int) -> int:
        quotient = _divided(self, other)
        if quotient is None:
            raise UndecidedError(f"{self} is not always a multiple of {other}")
        return quotient

    def __rfloordiv__(self, other: int) -> int:
        if other == 0:
            return 0
        raise UndecidedError(f"{other} // ({self}) depends on {_ranges(self.symbols)}")

    def __mod__(self, other: int) -> int:
        if _divided(self, other) is not None:
            return 0
        raise UndecidedError(f"({self}) % {other} depends on {_ranges(self.symbols)}")

    def __rmod__(self, other: int) -> int:
        if -self <= other < 0:
            return self + other
        if 0 <= other < self:
            return other
        raise UndecidedError(f"{other} % ({self}) depends on {_ranges(self.symbols)}")

    def __truediv__(self, other: float) -> float:
        raise UndecidedError(f"({self}) / {other} is known only when the model runs")

    def __rtruediv__(self, other: float) -> float:
        raise UndecidedError(f"{other} / ({self}) is known only when the model runs")

    # --------------------------------------------------------------- comparison

    def __lt__(self, other: int) -> bool:
        low, high = bounds_of(self - other)
        if high < 0:
            return True
        if low >= 0:
            return False
        raise UndecidedError(f"whether {self} < {other} depends on {_ranges(self.symbols)}")

    def __ge__(self, other: int) -> bool:
        return not self < other

    def __le__(self, other: int) -> bool:
        return self < other + 1

    def __gt__(self, other: int) -> bool:
        return not self <= other

    # --------------------------------------------------------------- no number

    def __int__(self) -> NoReturn:
        raise UndecidedError(f"{self} is known only when the model runs")

    def __float__(self) -> NoReturn:
        raise UndecidedError(f"{self} is known only when the model runs")

    def __index__(self) -> NoReturn:
        raise UndecidedError(f"{self} is known only when the model runs")


def _ranges(symbols: Sequence[Symbol]) -> str:
    return ", ".join(f"{s.name} (from {s.low} to {s.high})" for s in symbols)


def is_symbolic(value: object) -> bool:
    """Whether a value is an extent that depends on symbols."""
    return isinstance(value, Extent)


def extent_of(symbol: Symbol) -> int:
    """The extent that a symbol is; a number if it has one value only."""
    return made_of((((symbol,), 1),)) if symbol.low != symbol.high else symbol.low


def made_of(terms: Iterable[tuple[Monomial, int]]) -> int:
    """The sum of terms as an extent, or as a number if no symbol is left."""
    sums: dict[Monomial, int] = {}
    for monomial, factor in terms:
        sums[monomial] = sums.get(monomial, 0) + factor
    kept = tuple(
        sorted(((m, c) for m, c in sums.items() if c), key=lambda term: (-len(term[0]), term[0]))
    )
    if not kept or kept[0][0] == ():
        return kept[0][1] if kept else 0
    return Extent(kept)  # pyright: ignore[reportArgumentType]


def terms_of(value: int) -> tuple[tuple[Monomial, int], ...]:
    """The terms of an extent or a number."""
    if isinstance(value, Extent):
        return value.terms
    return (((), int(value)),) if value else ()


def symbols_in(extents: Iterable[int]) -> tuple[Symbol, ...]:
    """The symbols that extents depend on, sorted."""
    return tuple(sorted({s for e in extents if isinstance(e, Extent) for s in e.symbols}))


def bounds_of(value: int) -> tuple[int, int]:
    """The least and the greatest value that an extent or a number has."""
    return value.bounds if isinstance(value, Extent) else (value, value)


def least(value: int) -> int:
    """The least value of an extent; a number is its own."""
    return bounds_of(value)[0]


def most(value: int) -> int:
    """The greatest value of an extent; a number is its own."""
    return bounds_of(value)[1]


def volume(shape: Iterable[int]) -> int:
    """How many elements a tensor of a shape has, at most; for costs and limits."""
    return prod(map(most, shape))


def at(value: int, values: Mapping[str, int]) -> int:
    """An extent for values of its symbols; a number is its own."""
    return value.at(values) if isinstance(value, Extent) else value


def stored_extent(extent: int) -> int:
    """Elements that memory has room for along a dimension: those at its largest.

    So strides are numbers also where extents are not, and vectors may reach past the last point.
    """
    largest = most(extent)
    return -(-largest // _VECTOR) * _VECTOR if has_vectors(extent) else largest


def has_vectors(extent: int) -> bool:
    """Whether memory has room for whole vectors along a dimension that depends on symbols."""
    return is_symbolic(extent) and most(extent) >= _VECTOR


def plain(value: object) -> object:
    """An extent as JSON has it: its terms, each with the names of its symbols and a factor.

    Numbers are themselves, and a symbol is its name and range.
    """
    if isinstance(value, Symbol):
        return [value.name, value.low, value.high]
    if not isinstance(value, Extent):
        return value
    return [[[symbol.name for symbol in monomial], factor] for monomial, factor in value.terms]


def from_plain(data: int | Sequence[Any], symbols: Iterable[Symbol]) -> int:
    """The inverse of `plain` for an extent in some symbols; numbers are themselves."""
    if isinstance(data, int):
        return data
    known = {symbol.name: symbol for symbol in symbols}
    return made_of((tuple(sorted(known[n] for n in names)), factor) for names, factor in data)


def _divided(dividend: Extent, divisor: int) -> int | None:
    """The quotient of polynomials where it has no rest, by long division; else None."""
    leading = terms_of(divisor)
    if not leading:
        return None
    monomial, factor = leading[0]
    rest: int = dividend
    quotient = 0
    while terms_of(rest):
        first, size = terms_of(rest)[0]
        over = _without(first, monomial)
        if over is None or size % factor:
            return None
        step = made_of(((over, size // factor),))
        quotient, rest = quotient + step, rest - step * divisor
    return quotient


def _without(product: Monomial, factor: Monomial) -> Monomial | None:
    """The product divided by a factor; None if it has no such factor."""
    left = list(product)
    for symbol in factor:
        if symbol not in left:
            return None
        left.remove(symbol)
    return tuple(left)
