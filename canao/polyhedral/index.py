"""Quasi-affine index expressions over bounded variables, in a normal form.

An `Index` is `offset + sum of coefficient * atom`; an atom is a variable with a
known extent or the quotient of an index by a constant. Knowing the extents
lets divisions that a reshape leaves behind disappear: with `d < 32`,
`(32 * h + d) floordiv 32` is `h`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import gcd

from xdsl.ir.affine import (
    AffineBinaryOpExpr,
    AffineBinaryOpKind,
    AffineConstantExpr,
    AffineDimExpr,
    AffineExpr,
    AffineMap,
)


@dataclass(frozen=True, order=True)
class Variable:
    """An integer variable with values from 0 to `extent` - 1."""

    name: str
    extent: int


@dataclass(frozen=True)
class Quotient:
    """`numerator floordiv divisor`, with a positive divisor."""

    numerator: Index
    divisor: int


Atom = Variable | Quotient


def _key(term: tuple[Atom, int]) -> tuple[int, str]:
    atom = term[0]
    return (0, atom.name) if isinstance(atom, Variable) else (1, str(atom))


@dataclass(frozen=True)
class Index:
    """`offset + sum of coefficient * atom`, terms sorted, coefficients not zero."""

    terms: tuple[tuple[Atom, int], ...] = ()
    offset: int = 0

    @staticmethod
    def of(variable: Variable) -> Index:
        """The variable itself; 0 if its extent is 1."""
        return Index() if variable.extent == 1 else Index(((variable, 1),))

    @staticmethod
    def constant(value: int) -> Index:
        """A constant."""
        return Index((), value)

    @cached_property
    def _hash(self) -> int:
        return hash((self.terms, self.offset))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        parts = [f"{c}*{_text(a)}" if c != 1 else _text(a) for a, c in self.terms]
        if self.offset or not parts:
            parts.append(str(self.offset))
        return " + ".join(parts)

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.terms, self.offset + other) if other else self
        if not other.terms:
            return Index(self.terms, self.offset + other.offset)
        if not self.terms:
            return Index(other.terms, self.offset + other.offset)
        sums = dict(self.terms)
        for atom, c in other.terms:
            sums[atom] = sums.get(atom, 0) + c
        kept = sorted(((a, c) for a, c in sums.items() if c), key=_key)
        return Index(tuple(kept), self.offset + other.offset)

    def __sub__(self, other: Index | int) -> Index:
        return self + other * -1

    def __mul__(self, factor: int) -> Index:
        if factor == 0:
            return Index()
        if factor == 1:
            return self
        return Index(tuple((a, c * factor) for a, c in self.terms), self.offset * factor)

    def __floordiv__(self, divisor: int) -> Index:
        return _floordiv(self, divisor)

    def __mod__(self, divisor: int) -> Index:
        return self - (self // divisor) * divisor

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest value, both included."""
        low = high = self.offset
        for atom, c in self.terms:
            a, b = _atom_bounds(atom)
            low += c * (a if c > 0 else b)
            high += c * (b if c > 0 else a)
        return low, high

    def coefficient(self, variable: Variable) -> int | None:
        """The stride along a variable, or None where it sits in a quotient."""
        found = 0
        for atom, c in self.terms:
            if atom == variable:
                found = c
            elif isinstance(atom, Quotient) and atom.numerator.uses(variable):
                return None
        return found

    def uses(self, variable: Variable) -> bool:
        """Whether the value depends on a variable."""
        return any(
            atom == variable if isinstance(atom, Variable) else atom.numerator.uses(variable)
            for atom, _ in self.terms
        )

    def without(self, variable: Variable) -> Index:
        """The index at `variable` = 0; the variable must not sit in a quotient."""
        return Index(tuple(t for t in self.terms if t[0] != variable), self.offset)

    def substitute(self, variable: Variable, value: int) -> Index:
        """The index with a variable set to a constant."""
        if not self.uses(variable):
            return self
        out = Index.constant(self.offset)
        for atom, c in self.terms:
            if atom == variable:
                out = out + value * c
            elif isinstance(atom, Quotient):
                out = out + (atom.numerator.substitute(variable, value) // atom.divisor) * c
            else:
                out = out + Index(((atom, c),))
        return out

    def variables(self) -> tuple[Variable, ...]:
        """The variables it depends on, sorted by name."""
        found: set[Variable] = set()
        for atom, _ in self.terms:
            found.update((atom,) if isinstance(atom, Variable) else atom.numerator.variables())
        return tuple(sorted(found))

    def to_affine(self, dims: Sequence[Variable]) -> AffineExpr:
        """As an affine expression whose dimension `n` is `dims[n]`."""
        number = {v: n for n, v in enumerate(dims)}
        total: AffineExpr | None = None
        for atom, c in self.terms:
            part: AffineExpr
            if isinstance(atom, Variable):
                part = AffineDimExpr(number[atom])
            else:
                part = atom.numerator.to_affine(dims) // atom.divisor
            part = part * c if c != 1 else part
            total = part if total is None else total + part
        if total is None:
            return AffineConstantExpr(self.offset)
        return total + self.offset if self.offset else total


def _text(atom: Atom) -> str:
    if isinstance(atom, Variable):
        return atom.name
    return f"({atom.numerator} floordiv {atom.divisor})"


def _atom_bounds(atom: Atom) -> tuple[int, int]:
    if isinstance(atom, Variable):
        return 0, atom.extent - 1
    low, high = atom.numerator.bounds
    return low // atom.divisor, high // atom.divisor


@lru_cache(maxsize=65536)
def _floordiv(index: Index, divisor: int) -> Index:
    if divisor == 1:
        return index
    whole = [(a, c // divisor) for a, c in index.terms if c % divisor == 0]
    rest = tuple((a, c) for a, c in index.terms if c % divisor)
    out = Index(tuple(whole), index.offset // divisor)
    remainder = Index(rest, index.offset % divisor)
    low, high = remainder.bounds
    if low >= 0 and high < divisor:
        return out
    return out + _reduced_quotient(remainder, divisor)


def _reduced_quotient(index: Index, divisor: int) -> Index:
    """`floor((g*a + r) / (g*b)) == floor(a / b)` where `0 <= r < g`."""
    for g in _common_divisors([c for _, c in index.terms], divisor):
        coarse = tuple((a, c // g) for a, c in index.terms if c % g == 0)
        fine = Index(tuple(t for t in index.terms if t[1] % g), index.offset % g)
        low, high = fine.bounds
        if coarse and low >= 0 and high < g:
            return Index(coarse, index.offset // g) // (divisor // g)
    low, high = index.bounds
    if low // divisor == high // divisor:
        return Index.constant(low // divisor)
    return Index(((Quotient(index, divisor), 1),))


def _common_divisors(coefficients: Sequence[int], divisor: int) -> list[int]:
    """What a divisor has in common with some of the coefficients, largest first, without 1."""
    found: set[int] = set()
    for c in coefficients:
        g = gcd(c, divisor)
        found |= {g, *(gcd(g, other) for other in found)}
    return sorted(found - {1}, reverse=True)


def evaluate(expr: AffineExpr, dims: Sequence[Index]) -> Index:
    """The value of an affine expression at an index for every dimension."""
    if isinstance(expr, AffineConstantExpr):
        return Index.constant(expr.value)
    if isinstance(expr, AffineDimExpr):
        return dims[expr.position]
    if not isinstance(expr, AffineBinaryOpExpr):
        raise ValueError(f"no value for the symbol in {expr}")
    lhs, rhs = evaluate(expr.lhs, dims), evaluate(expr.rhs, dims)
    if expr.kind is AffineBinaryOpKind.Add:
        return lhs + rhs
    if rhs.terms:
        lhs, rhs = rhs, lhs
    if rhs.terms:
        raise ValueError(f"{expr} is not affine")
    if expr.kind is AffineBinaryOpKind.Mul:
        return lhs * rhs.offset
    if expr.kind is AffineBinaryOpKind.FloorDiv:
        return lhs // rhs.offset
    if expr.kind is AffineBinaryOpKind.Mod:
        return lhs % rhs.offset
    return (lhs * -1) // rhs.offset * -1


def apply_map(access: AffineMap, dims: Sequence[Index]) -> tuple[Index, ...]:
    """The results of an affine map at an index for every dimension."""
    return tuple(evaluate(r, dims) for r in access.results)


def linearise(indices: Sequence[Index], shape: Sequence[int]) -> Index:
    """The row-major position of a multi-dimensional index."""
    position = Index()
    for index, extent in zip(indices, shape, strict=True):
        position = position * extent + index
    return position
