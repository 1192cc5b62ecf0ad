"""What passes may ask an operation of the canao dialect.

A pass never looks at an operation's name: it asks for the laws the operation
obeys (`Laws`), for how its result touches its operands (`AccessPattern`,
`IterationSpace`), and, where it is a shorthand, for its meaning in simpler
operations (`Decomposable`).

The three notions are those of LP-Fusion: computation laws and data access
patterns (CANAO, section 2.2).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from math import prod
from typing import ClassVar

from xdsl.builder import Builder
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineMap


class AccessPattern(StrEnum):
    """How the elements of a result depend on the elements of the operands."""

    SOURCE = "source"
    """No tensor operands: a constant or a weight."""
    ONE_TO_ONE = "one-to-one"
    """`out[i] = f(a[i], b[i])`."""
    BROADCAST = "broadcast"
    """`out[i, j] = f(a[i, j], b[j])`: an operand lacks a dimension."""
    REDUCE = "reduce"
    """`out[i] = reduction over j of a[i, j]`."""
    CONTRACT = "contract"
    """`out[i, j] = sum over k of a[i, k] * b[k, j]`."""
    REORGANISE = "reorganise"
    """`out[i] = a[p(i)]` with `p` known when compiling."""
    GATHER = "gather"
    """`out[i, j] = a[n[i], j]` with `n` known when running."""
    COMPOSITE = "composite"
    """A shorthand; ask `Decomposable.decompose` for its parts."""


@dataclass(frozen=True)
class Laws:
    """The computation laws of an operation, by operation class, not by name."""

    commutative: bool = False
    associative: bool = False
    distributes_over: tuple[type[Operation], ...] = ()
    """`f(a, g(b, c)) == g(f(a, b), f(a, c))` for each `g` listed."""
    linear_in: tuple[int, ...] = ()
    """Operand numbers in which the operation is a linear map."""
    identity: float | None = None
    """`f(a, identity) == a`; only the right operand unless commutative.

    Of floats the sign of a zero is part of it: `a + -0.0` and `a - 0.0` are `a` always,
    `a + 0.0` is 0.0 where `a` is -0.0.
    """
    inverts: type[Operation] | None = None
    """The operation `g` that this one undoes: `f(g(a, b), b) == a`, or, of one operand,
    `f(a) == the inverse of a under g`. Of division: only of floating-point numbers."""


class SignOfZero(Enum):
    """What becomes of the difference between operands 0.0 and -0.0."""

    SHOWN = "shown"
    """It may become any difference: `1 / 0.0` is not `1 / -0.0`."""
    KEPT = "kept"
    """It becomes one between 0.0 and -0.0 again, or none."""
    LOST = "lost"
    """It becomes none: the function is even, positive at 0, a choice or a sum that starts at 0."""


@dataclass(frozen=True)
class IterationSpace:
    """The index set of an operation and how its points touch its operands.

    `extents` holds the length of every dimension; the first `parallel` of them
    index the result, the others are reduced over. `operands[n]` maps a point
    to an index of operand `n`, `result` maps it to an index of the result.
    """

    extents: tuple[int, ...]
    parallel: int
    operands: tuple[AffineMap, ...]
    result: AffineMap

    @property
    def reduced(self) -> tuple[int, ...]:
        """The numbers of the dimensions that are reduced over."""
        return tuple(range(self.parallel, len(self.extents)))

    @property
    def points(self) -> int:
        """How many points there are."""
        return prod(self.extents)


class CanaoOp(Operation, ABC):
    """Base of every computing operation of the dialect."""

    LAWS: ClassVar[Laws] = Laws()
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.SHOWN
    """What becomes of the sign of a zero; see `transforms/signs_of_zero.py`."""
    WORD: ClassVar[str] = ""
    """What names of kernels call the operation; if empty, its name within the dialect."""

    @abstractmethod
    def access_pattern(self) -> AccessPattern:
        """The pattern by which LP-Fusion groups this operation."""

    @classmethod
    def word(cls) -> str:
        """The operation in a word, for people: `gelu`."""
        return cls.WORD or cls.name.rpartition(".")[2]

    def computations(self) -> int:
        """Arithmetic operators that this operation evaluates for one element.

        Counts as in the paper: one for each operator as written, none for
        operations that only move data.
        """
        return 1

    def cost(self) -> int:
        """Rough time of one evaluation, an addition being 1."""
        return self.computations()

    def flops(self) -> int:
        """Floating-point operations in all, a multiply-add counting two; perhaps an extent."""
        return 0

    def decides_by(self, operand: int) -> bool:
        """Whether a tiny change of an operand may change the result by far more than that.

        As rounding to integers, comparing and converting do, and functions at the edge of
        their domain or at a pole; see `transforms/decisions.py`.
        """
        return False

    def sums_up(self) -> bool:
        """Whether the result is a sum, or made of sums, of terms in an order that is free.

        Such a result has no fixed last digits.
        """
        return False


class Indexed(CanaoOp, ABC):
    """An operation whose accesses are affine maps of an iteration space."""

    @abstractmethod
    def iteration_space(self) -> IterationSpace:
        """The index set and the access maps."""


class Reorganising(Indexed, ABC):
    """`out[i] = a[p(i)]`: moves data, computes nothing."""

    def access_pattern(self) -> AccessPattern:
        return AccessPattern.REORGANISE

    def computations(self) -> int:
        return 0

    @abstractmethod
    def forward_map(self) -> AffineMap | None:
        """Maps an index of the operand to its index in the result.

        None where some elements of the operand do not reach the result or
        reach it more than once (slices, broadcasts).
        """


class Decomposable(CanaoOp, ABC):
    """A shorthand with a meaning in simpler operations of the dialect."""

    def access_pattern(self) -> AccessPattern:
        return AccessPattern.COMPOSITE

    def sums_up(self) -> bool:
        return True

    @abstractmethod
    def mixed_axes(self) -> tuple[int, ...]:
        """Axes of the first operand along which an element of the result depends on others."""

    @abstractmethod
    def decompose(self, builder: Builder) -> Sequence[SSAValue]:
        """Builds the operations this one stands for; returns its results."""


@dataclass(frozen=True)
class ReductionKind:
    """A reduction: its neutral element and the name of its binary operation."""

    name: str
    neutral: float
    binary: type[Operation] = field(compare=False)
