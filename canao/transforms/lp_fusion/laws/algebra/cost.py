"""What an expression costs, by the measure of operations, and how it is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from xdsl.ir import SSAValue

from canao.dialects.canao.elementwise import BinaryOp
from canao.dialects.canao.types import broadcast_shapes, shape_of
from canao.dialects.interfaces import Indexed
from canao.extent import volume
from canao.transforms.cost import Cost
from canao.transforms.lp_fusion.laws.algebra.monoids import monoids
from canao.transforms.lp_fusion.laws.algebra.terms import Bag, Image, Node, Shape, Terms


@dataclass(frozen=True)
class Step:
    """One binary operation of a bag: which operands it combines, by their step or member."""

    op: type[BinaryOp]
    lhs: int
    rhs: int
    """A member's number if it is not negative, else the complement of a step's number."""


@dataclass(frozen=True)
class Plan:
    """The binary operations that evaluate a bag, narrow operands first."""

    members: tuple[Node, ...]
    steps: tuple[Step, ...]
    negate: bool
    """Whether the result of the last step is to be negated."""


def plan_bag(terms: Terms, bag: Bag) -> Plan:
    """The order in which a bag's members combine."""

    def width(node: Node) -> tuple[int, bool, int]:
        return (terms.elements(node), not terms.constant[node], node)

    members = (*sorted(bag.plain, key=width), *sorted(bag.inverted, key=width))
    count = len(bag.plain)
    steps: list[Step] = []
    shapes = [terms.shapes[n] for n in members]

    def chain(numbers: Iterable[int]) -> list[int]:
        """Combines members from left to right; returns what stands after each of them."""
        reached: list[int] = []
        for n in numbers:
            if reached:
                steps.append(Step(bag.op, reached[-1], n))
                reached.append(~(len(steps) - 1))
            else:
                reached.append(n)
        return reached

    if not bag.inverted:
        chain(range(count))
        return Plan(members, tuple(steps), False)
    undo = chain(range(count, len(members)))[-1]
    if not count:
        return Plan(members, tuple(steps), True)
    inverse = monoids()[bag.op].inverse
    assert inverse is not None
    constant = [terms.constant[n] for n in members]
    # A constant that is added and taken away again rounds on purpose: not ahead of time.
    first = constant.index(False) + 1 if all(constant[count:]) and not all(constant[:count]) else 1
    place = _cheapest_place(shapes[:count], broadcast_shapes(shapes[count:]), first)
    last = chain(range(place))[-1]
    steps.append(Step(inverse, last, undo))
    for n in range(place, count):
        steps.append(Step(bag.op, ~(len(steps) - 1), n))
    return Plan(members, tuple(steps), False)


def _cheapest_place(plain: list[Shape], inverted: Shape, first: int) -> int:
    """After how many of the plain members, `first` or more, the inverted ones are applied.

    Late if it is equal.
    """

    def work(place: int) -> int:
        reached, total = plain[0], 0
        for n in range(1, len(plain) + 1):
            if n == place:
                reached = broadcast_shapes([reached, inverted])
                total += volume(reached)
            if n < len(plain):
                reached = broadcast_shapes([reached, plain[n]])
                total += volume(reached)
        return total

    return min(range(len(plain), first - 1, -1), key=work)


class Price:
    """The cost of expressions where some values are there anyway."""

    def __init__(self, terms: Terms, stays: Callable[[SSAValue], bool]) -> None:
        self.terms = terms
        self.stays = stays
        """Whether a value of the program is computed whatever the expression is."""
        self._own: dict[Node, Cost] = {}

    def __call__(self, root: Node) -> Cost:
        """The cost of all that has to be computed for an expression, equal parts once."""
        total, pending, seen = Cost(), [root], {root}
        while pending:
            node = pending.pop()
            if self.is_free(node):
                continue
            total += self.own(node)
            for part in self.parts(node):
                if part not in seen:
                    seen.add(part)
                    pending.append(part)
        return total

    def is_free(self, node: Node) -> bool:
        """Whether a node costs nothing: constant, or there anyway."""
        value = self.terms.existing.get(node)
        return self.terms.constant[node] or (value is not None and self.stays(value))

    def parts(self, node: Node) -> tuple[Node, ...]:
        """The nodes that a node is made from."""
        form = self.terms.forms[node]
        if isinstance(form, Bag):
            return (*form.plain, *form.inverted)
        return form.operands if isinstance(form, Image) else ()

    def own(self, node: Node) -> Cost:
        """The cost of the operations of one node."""
        if node not in self._own:
            self._own[node] = self._cost(node)
        return self._own[node]

    def _cost(self, node: Node) -> Cost:
        form = self.terms.forms[node]
        if isinstance(form, Bag):
            return self._cost_of_bag(form)
        if isinstance(form, Image):
            points = image_points(form)
            moved = sum(volume(s) for s in (*form.shapes, form.result))
            return Cost(points, 1, moved)
        return Cost()

    def _cost_of_bag(self, bag: Bag) -> Cost:
        plan = plan_bag(self.terms, bag)
        shapes = [self.terms.shapes[n] for n in plan.members]
        constant = [self.terms.constant[n] for n in plan.members]
        reached: list[Shape] = []
        fixed: list[bool] = []
        total = Cost()
        for step in plan.steps:
            sides = [(reached, fixed, ~k) if k < 0 else (shapes, constant, k) for k in _ends(step)]
            shape = broadcast_shapes([where[k] for where, _, k in sides])
            reached.append(shape)
            fixed.append(all(known[k] for _, known, k in sides))
            if not fixed[-1]:
                moved = volume(shape) + sum(volume(where[k]) for where, _, k in sides)
                total += Cost(volume(shape), 1, moved)
        if plan.negate:
            size = volume(reached[-1] if reached else shapes[0])
            total += Cost(size, 1, 2 * size)
        return total


def _ends(step: Step) -> tuple[int, int]:
    return step.lhs, step.rhs


def image_points(image: Image) -> int:
    """How many points a linear operation is evaluated at, by its own iteration space.

    The template has the shapes of the program; a narrower image is evaluated
    at as many points fewer as its operands have elements fewer.
    """
    template = image.template
    assert isinstance(template, Indexed)
    points = volume(template.iteration_space().extents)
    before = volume(shape_of(template.operands[0]))
    return points * volume(image.shapes[0]) // before if before else 0
