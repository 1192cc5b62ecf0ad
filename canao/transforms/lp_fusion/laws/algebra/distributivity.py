"""Laws that merge members of a sum: what they share is taken out.

Every merge leaves a sum of fewer members, so any sequence of them ends.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from xdsl.ir import Operation

from canao.dialects.interfaces import CanaoOp
from canao.transforms.cost import Cost
from canao.transforms.lp_fusion.laws.algebra.monoids import Monoid, monoids, times_over
from canao.transforms.lp_fusion.laws.algebra.terms import Image, Node, Terms

Member = tuple[Node, bool]
"""A member of a sum, and whether it is subtracted."""

_MOST_FOR_SUBSETS = 6
"""Up to this many members with a common factor, each subset of them is tried."""


@dataclass(frozen=True)
class Merge:
    """Members of a sum, by position, and the member that replaces them."""

    positions: tuple[int, ...]
    replacement: Member


@dataclass(frozen=True)
class Sum:
    """A sum that laws look at."""

    terms: Terms
    plus: Monoid
    members: tuple[Member, ...]
    simplify: Callable[[Node], Node]
    """The best form of a sum that a merge makes."""

    def total(self, members: Iterable[Member]) -> Node:
        """The best form of a sum of members."""
        members = tuple(members)
        plain = [n for n, inverted in members if not inverted]
        return self.simplify(
            self.terms.bag(self.plus.op, plain, [n for n, inverted in members if inverted])
        )


class SumLaw(ABC):
    """A law that replaces some members of a sum by one."""

    name: str

    @abstractmethod
    def merges(self, sum_: Sum) -> Iterator[Merge]:
        """The ways in which the law applies."""


def _subsets(positions: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All positions, and where they are few, each subset of two or more."""
    yield tuple(positions)
    if 2 < len(positions) <= _MOST_FOR_SUBSETS:
        for size in range(len(positions) - 1, 1, -1):
            yield from combinations(positions, size)


class TakeOutFactor(SumLaw):
    """`x * g + x * h -> x * (g + h)`, and so with `-`, for any number of terms.

    For any operation that distributes over another. A term that is the factor
    itself counts as the factor times 1: `x * g + x * h + x -> x * (g + h + 1)`.
    Not where the terms would cancel: infinity less infinity is not 0.
    """

    name = "take-out-factor"

    def merges(self, sum_: Sum) -> Iterator[Merge]:
        times = times_over(sum_.plus.op)
        if times is None:
            return
        terms = sum_.terms
        views = [terms.members(times.op, node) for node, _ in sum_.members]
        for factor in dict.fromkeys(f for plain, _ in views for f in plain):
            holders = [n for n, (plain, _) in enumerate(views) if factor in plain]
            if len(holders) < 2 or terms.value_of_number(factor) == 0:
                continue
            for chosen in _subsets(holders):
                rests = [self._rest(terms, times, views[n], factor) for n in chosen]
                members = [
                    (rest, sum_.members[n][1])
                    for n, rest in zip(chosen, rests, strict=True)
                    if rest is not None
                ]
                if len(members) < len(chosen) or _cancel(terms, members):
                    continue
                product = terms.bag(times.op, [factor, sum_.total(members)])
                yield Merge(chosen, (product, False))

    @staticmethod
    def _rest(
        terms: Terms, times: Monoid, view: tuple[tuple[Node, ...], tuple[Node, ...]], factor: Node
    ) -> Node | None:
        """What multiplies a factor in a product; None if only divisors are left."""
        plain, inverted = list(view[0]), view[1]
        plain.remove(factor)
        if plain:
            return terms.bag(times.op, plain, inverted)
        if inverted or times.identity is None:
            return None
        return terms.number(times.identity)


class TakeOutDivisor(SumLaw):
    """`x / c + y / c -> (x + y) / c`, and so with `-`: division is linear on the left.

    For floating-point numbers only.
    """

    name = "take-out-divisor"

    def merges(self, sum_: Sum) -> Iterator[Merge]:
        times = times_over(sum_.plus.op)
        if times is None or times.inverse is None:
            return
        terms = sum_.terms
        views = [terms.members(times.op, node) for node, _ in sum_.members]
        for divisor in dict.fromkeys(d for _, inverted in views for d in inverted):
            holders = [n for n, (_, inverted) in enumerate(views) if divisor in inverted]
            if len(holders) < 2:
                continue
            for chosen in _subsets(holders):
                members: list[Member] = []
                for n in chosen:
                    inverted = list(views[n][1])
                    inverted.remove(divisor)
                    rest = terms.bag(times.op, views[n][0], inverted)
                    members.append((rest, sum_.members[n][1]))
                if not _cancel(terms, members):
                    quotient = terms.bag(times.op, [sum_.total(members)], [divisor])
                    yield Merge(chosen, (quotient, False))


class JoinLinear(SumLaw):
    """`f(x) + f(y) -> f(x + y)` for a linear map `f`, and so with `-`.

    Sums over the same axes, and products with one operand in common:
    `x @ w + y @ w -> (x + y) @ w`, `x @ v + x @ w -> x @ (v + w)`. The
    operands that are added have one shape.
    """

    name = "join-linear"

    def merges(self, sum_: Sum) -> Iterator[Merge]:
        terms = sum_.terms
        # Addition is what a linear map commutes with: the group that is no product itself.
        if sum_.plus.negation is None or sum_.plus.over:
            return
        groups: dict[object, list[int]] = {}
        for position, (node, _) in enumerate(sum_.members):
            form = terms.forms[node]
            if not isinstance(form, Image) or node in terms.whole:
                continue
            for slot in _linear_slots(form.op):
                others = (*form.operands[:slot], *form.operands[slot + 1 :])
                key = (form.op, form.properties, slot, others, form.shapes, form.result)
                groups.setdefault(key, []).append(position)
        for key, chosen in groups.items():
            if len(chosen) < 2:
                continue
            assert isinstance(key, tuple)
            slot: int = key[2]
            images = [terms.forms[sum_.members[n][0]] for n in chosen]
            first = images[0]
            assert isinstance(first, Image)
            inner = [
                (image.operands[slot], sum_.members[n][1])
                for n, image in zip(chosen, images, strict=True)
                if isinstance(image, Image)
            ]
            if _cancel(terms, inner):
                continue
            operands = list(first.operands)
            operands[slot] = sum_.total(inner)
            joined = terms.image(first.template, operands, first.shapes, first.result)
            yield Merge(tuple(chosen), (joined, False))


def _linear_slots(op: type[Operation]) -> tuple[int, ...]:
    return op.LAWS.linear_in if issubclass(op, CanaoOp) else ()


def _cancel(terms: Terms, members: Sequence[Member]) -> bool:
    """Whether members of a sum cancel, in whole or in part."""
    plain = {n for n, inverted in members if not inverted}
    if any(inverted and n in plain for n, inverted in members):
        return True
    numbers = [
        -value if inverted else value
        for n, inverted in members
        if (value := terms.value_of_number(n)) is not None
    ]
    return len(numbers) > 1 and sum(numbers) == 0


SUM_LAWS: tuple[SumLaw, ...] = (TakeOutFactor(), TakeOutDivisor(), JoinLinear())


@dataclass(frozen=True)
class Factored:
    """A form of a sum and the laws that lead to it."""

    node: Node
    laws: tuple[str, ...]


_BEAM = 24

_DEEPEST = 4
"""How many sums inside sums are searched."""


def best_form_of_sum(
    terms: Terms,
    node: Node,
    price: Callable[[Node], Cost],
    laws: Sequence[SumLaw] = SUM_LAWS,
    depth: int = 0,
) -> Factored:
    """The cheapest form of a sum that the laws reach.

    Merges are tried in all orders, the best `_BEAM` sums of each length being
    kept; small sums are searched to the end.
    """
    form = terms.forms[node]
    plus = monoids().get(getattr(form, "op", Operation))
    if plus is None or node in terms.whole:
        return Factored(node, ())
    plain, inverted = terms.members(plus.op, node)
    start: tuple[Member, ...] = (*((n, False) for n in plain), *((n, True) for n in inverted))

    def simplify(inner: Node) -> Node:
        if depth >= _DEEPEST:
            return inner
        return best_form_of_sum(terms, inner, price, laws, depth + 1).node

    best, best_price = Factored(node, ()), price(node)
    level: dict[tuple[Member, ...], tuple[str, ...]] = {start: ()}
    while level:
        reached: dict[tuple[Member, ...], tuple[str, ...]] = {}
        for members, used in level.items():
            for law in laws:
                for merge in law.merges(Sum(terms, plus, members, simplify)):
                    kept = [m for n, m in enumerate(members) if n not in merge.positions]
                    after = tuple(sorted([*kept, merge.replacement]))
                    reached.setdefault(after, (*used, law.name))
        priced: list[tuple[Cost, tuple[Member, ...], Node]] = []
        for members in reached:
            above = [n for n, under in members if not under]
            total = terms.bag(plus.op, above, [n for n, under in members if under])
            priced.append((price(total), members, total))
        priced.sort(key=lambda entry: entry[:2])
        if priced and priced[0][0] < best_price:
            cost, members, total = priced[0]
            best, best_price = Factored(total, reached[members]), cost
        level = {members: reached[members] for _, members, _ in priced[:_BEAM]}
    return best
