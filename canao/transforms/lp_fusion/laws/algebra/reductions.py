"""Laws of sums over axes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from math import prod

from canao.dialects.canao.reduce import ReduceOp
from canao.dialects.canao.types import broadcast_shapes
from canao.extent import is_symbolic
from canao.transforms.constants import depends_on
from canao.transforms.lp_fusion.laws.algebra.monoids import Monoid, monoids, times_over
from canao.transforms.lp_fusion.laws.algebra.terms import Image, Node, Shape, Terms


class Reduction:
    """A linear reduction of an expression."""

    def __init__(self, terms: Terms, image: Image) -> None:
        assert isinstance(image.template, ReduceOp)
        self.terms = terms
        self.image = image
        self.axes = image.template.axis_numbers()
        self.operand = image.operands[0]
        self.shape = image.shapes[0]
        self.count = prod(self.shape[a] for a in self.axes)
        self.plus: Monoid = monoids()[image.template.KIND.binary]

    def is_even(self, node: Node) -> bool:
        """Whether a node is the same all along the reduced axes."""
        padded = self._padded(node)
        return all(padded[a] == 1 for a in self.axes)

    def of(self, node: Node) -> Node:
        """The same reduction of another node, no wider than the node is along other axes."""
        padded = self._padded(node)
        shape = tuple(
            full if n in self.axes else own
            for n, (own, full) in enumerate(zip(padded, self.shape, strict=True))
        )
        result = tuple(1 if n in self.axes else e for n, e in enumerate(shape))
        return self.terms.image(self.image.template, [node], [shape], result)

    def _padded(self, node: Node) -> Shape:
        shape = self.terms.shapes[node]
        return (1,) * (len(self.shape) - len(shape)) + shape

    def covers(self, node: Node) -> bool:
        """Whether an expression broadcasts to the shape of the result."""
        return broadcast_shapes([self.terms.shapes[node], self.image.result]) == self.image.result


class ReductionLaw(ABC):
    """A law that writes a linear reduction otherwise."""

    name: str

    @abstractmethod
    def forms(self, reduction: Reduction) -> Iterator[Node]:
        """Other forms of a reduction."""


class TakeFactorOutOfReduction(ReductionLaw):
    """`sum(x * s) -> s * sum(x)`, if `s` is the same all along the axes; so with `/` and `-`.

    Elements that are all the same add up to a multiple: `sum(s) -> n * s`.
    """

    name = "take-factor-out-of-reduction"

    def forms(self, reduction: Reduction) -> Iterator[Node]:
        terms, times = reduction.terms, times_over(reduction.plus.op)
        if times is None:
            return
        plain, inverted = terms.members(times.op, reduction.operand)
        above, below = terms.members(reduction.plus.op, reduction.operand)
        if not above and len(below) == 1:
            # Of -x, a sum without plain members.
            yield terms.negated(times.op, reduction.of(below[0]))
            return
        even = ([n for n in plain if reduction.is_even(n)], [*filter(reduction.is_even, inverted)])
        rest = [n for n in plain if n not in even[0]]
        divisors = [n for n in inverted if n not in even[1]]
        if not (even[0] or even[1]) or (not rest and divisors):
            return
        core = reduction.of(terms.bag(times.op, rest, divisors)) if rest else None
        if core is None and is_symbolic(reduction.count):
            return
        count = terms.number(reduction.count) if core is None else core
        yield terms.bag(times.op, [count, *even[0]], even[1])


class TakeTermOutOfReduction(ReductionLaw):
    """`sum(x + b) -> sum(x) + n * b`, if `b` is the same all along the axes; `n` elements each.

    Not if `b` is computed from `x`, as its mean or maximum is: the two sums would
    cancel, which `x + b` does before its digits are lost.
    """

    name = "take-term-out-of-reduction"

    def forms(self, reduction: Reduction) -> Iterator[Node]:
        terms, plus = reduction.terms, reduction.plus
        times = times_over(plus.op)
        plain, inverted = terms.members(plus.op, reduction.operand)
        if times is None or len(plain) + len(inverted) < 2 or is_symbolic(reduction.count):
            return
        count = terms.number(reduction.count)
        even = [
            [terms.bag(times.op, [count, n]) for n in side if reduction.is_even(n)]
            for side in (plain, inverted)
        ]
        rest = [[n for n in side if not reduction.is_even(n)] for side in (plain, inverted)]
        if not (even[0] or even[1]) or not (rest[0] or rest[1]):
            return
        terms_out = [n for n in (*plain, *inverted) if reduction.is_even(n)]
        if depends_on(terms.leaves(terms_out), terms.leaves((*rest[0], *rest[1]))):
            return
        core = reduction.of(terms.bag(plus.op, rest[0], rest[1]))
        yield terms.bag(plus.op, [core, *even[0]], even[1])


REDUCTION_LAWS: tuple[ReductionLaw, ...] = (TakeFactorOutOfReduction(), TakeTermOutOfReduction())
