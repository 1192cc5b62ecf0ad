"""Expressions as sums and products of many operands, equal ones being one node.

A *bag* is an associative and commutative operation applied to any number of
operands, some of them inverted: `a + b - c` is the bag of addition with plain
operands a, b and inverted c; `x * y / z` that of multiplication. Order and
parentheses of the program are gone, so commuted and regrouped forms are the
same node. An *image* is a linear operation applied to a node. Everything else
is a *leaf*.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite

from xdsl.ir import Attribute, Operation, SSAValue

from canao.dialects.canao.elementwise import BinaryOp
from canao.dialects.canao.types import broadcast_shapes, shape_of
from canao.extent import volume
from canao.transforms.lp_fusion.laws.algebra.monoids import monoids, plus_under

Node = int
"""A number that stands for an expression: equal expressions have equal numbers."""

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Leaf:
    """A value that is taken as it is."""

    value: SSAValue


@dataclass(frozen=True)
class Number:
    """One number."""

    value: float


@dataclass(frozen=True)
class Bag:
    """`plain[0] op plain[1] op ... inverse inverted[0] inverse ...`."""

    op: type[BinaryOp]
    plain: tuple[Node, ...]
    inverted: tuple[Node, ...]


@dataclass(frozen=True)
class Image:
    """A linear operation applied to `operands`, each broadcast to its shape in `shapes`."""

    op: type[Operation]
    properties: tuple[tuple[str, Attribute], ...]
    operands: tuple[Node, ...]
    shapes: tuple[Shape, ...]
    result: Shape
    template: Operation = field(compare=False)


Form = Leaf | Number | Bag | Image


class Terms:
    """The expressions of one element type, each stored once."""

    def __init__(self, regroup: bool) -> None:
        self.regroup = regroup
        """Whether bags inside bags are emptied into them (associativity)."""
        self.forms: list[Form] = []
        self.shapes: list[Shape] = []
        self.constant: list[bool] = []
        self.existing: dict[Node, SSAValue] = {}
        """Values of the program that hold an expression."""
        self.whole: set[Node] = set()
        """Nodes that no bag empties: the program needs their value anyway."""
        self._numbers: dict[Form, Node] = {}

    def _intern(self, form: Form, shape: Shape, constant: bool) -> Node:
        known = self._numbers.get(form)
        if known is not None:
            return known
        node = len(self.forms)
        self._numbers[form] = node
        self.forms.append(form)
        self.shapes.append(shape)
        self.constant.append(constant)
        return node

    # ------------------------------------------------------------------ making

    def leaf(self, value: SSAValue, constant: bool) -> Node:
        """A value as it is."""
        node = self._intern(Leaf(value), shape_of(value), constant)
        self.existing[node] = value
        return node

    def number(self, value: float) -> Node:
        """A number."""
        return self._intern(Number(value), (), True)

    def image(
        self, template: Operation, operands: Iterable[Node], shapes: Iterable[Shape], result: Shape
    ) -> Node:
        """A linear operation like `template` of other operands."""
        operands = tuple(operands)
        properties = tuple(sorted(template.properties.items()))
        form = Image(type(template), properties, operands, tuple(shapes), result, template)
        return self._intern(form, result, all(self.constant[n] for n in operands))

    def bag(self, op: type[BinaryOp], plain: Iterable[Node], inverted: Iterable[Node] = ()) -> Node:
        """A sum, a product or the like, in its normal form.

        Negations go out of products, bags of the same operation are emptied
        into this one, numbers are joined, and so are constants.
        """
        members = ([*plain], [*inverted])
        negative = self._take_out_signs(op, members)
        self._absorb_negations(op, members)
        if self.regroup:
            members = self._flatten(op, members)
            self._join_numbers(op, members)
            self._join_constants(op, members)
        above, below = (tuple(sorted(side)) for side in members)
        if len(above) == 1 and not below:
            node = above[0]
        else:
            shape = broadcast_shapes([self.shapes[n] for n in (*above, *below)])
            constant = all(self.constant[n] for n in (*above, *below))
            node = self._intern(Bag(op, above, below), shape, constant)
        return self.negated(op, node) if negative else node

    def negated(self, times: type[BinaryOp], node: Node) -> Node:
        """The negative of a product."""
        plus = plus_under(times)
        assert plus is not None
        return self.bag(plus.op, (), (node,))

    # ---------------------------------------------------------------- viewing

    def members(self, op: type[BinaryOp], node: Node) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
        """The plain and inverted members of a bag of `op`; of another node, itself."""
        form = self.forms[node]
        if isinstance(form, Bag) and form.op is op:
            return form.plain, form.inverted
        return (node,), ()

    def leaves(self, nodes: Iterable[Node]) -> set[SSAValue]:
        """The values that expressions are made of."""
        pending, found = [*nodes], set[SSAValue]()
        while pending:
            form = self.forms[pending.pop()]
            if isinstance(form, Leaf):
                found.add(form.value)
            elif isinstance(form, Bag):
                pending += (*form.plain, *form.inverted)
            elif isinstance(form, Image):
                pending += form.operands
        return found

    def elements(self, node: Node) -> int:
        """How many elements a node has."""
        return volume(self.shapes[node])

    def value_of_number(self, node: Node) -> float | None:
        """The value of a number; None for other nodes."""
        form = self.forms[node]
        return form.value if isinstance(form, Number) else None

    # ------------------------------------------------------------ normal form

    def _take_out_signs(self, op: type[BinaryOp], members: tuple[list[Node], list[Node]]) -> bool:
        """Strips negations from the factors of a product; whether an odd number was there."""
        plus = plus_under(op)
        if plus is None or plus.negation is None:
            return False
        odd = False
        for side in members:
            for n, node in enumerate(side):
                above, below = self.members(plus.op, node)
                if not above and len(below) == 1:
                    side[n] = below[0]
                    odd = not odd
        return odd

    def _absorb_negations(self, op: type[BinaryOp], members: tuple[list[Node], list[Node]]) -> None:
        """Turns plain members that are inverses into inverted members, and back."""
        for side in (0, 1):
            for node in list(members[side]):
                above, below = self.members(op, node)
                if not above and len(below) == 1:
                    members[side].remove(node)
                    members[1 - side].append(below[0])

    def _flatten(
        self, op: type[BinaryOp], members: tuple[list[Node], list[Node]]
    ) -> tuple[list[Node], list[Node]]:
        out: tuple[list[Node], list[Node]] = ([], [])
        for side in (0, 1):
            for node in members[side]:
                if node in self.whole or self.constant[node]:
                    out[side].append(node)
                    continue
                above, below = self.members(op, node)
                out[side].extend(above)
                out[1 - side].extend(below)
        return out

    def _join_numbers(self, op: type[BinaryOp], members: tuple[list[Node], list[Node]]) -> None:
        """Replaces numbers by one; numbers that are alone stay."""
        found = [(s, n) for s in (0, 1) for n in members[s] if isinstance(self.forms[n], Number)]
        combine = _ARITHMETIC.get((bool(monoids()[op].over), monoids()[op].inverse is not None))
        if len(found) < 2 or combine is None or self._numbers_oppose(op, members):
            return
        total = monoids()[op].identity
        assert total is not None
        for side, node in found:
            number = self.value_of_number(node)
            if not number:
                return
            total = combine[side](total, number)
        if not isfinite(total) or not _SMALLEST < abs(total) < _LARGEST:
            return
        for side, node in found:
            members[side].remove(node)
        if total != monoids()[op].identity or not (members[0] or members[1]):
            members[0].append(self.number(total))

    def _numbers_oppose(self, op: type[BinaryOp], members: tuple[list[Node], list[Node]]) -> bool:
        """Whether numbers of a sum have both signs: `(a + c) - c` rounds `a` on purpose."""
        if monoids()[op].over:
            return False
        numbers = [
            (-1 if side else 1) * value
            for side in (0, 1)
            for n in members[side]
            if (value := self.value_of_number(n)) is not None
        ]
        return bool(numbers) and min(numbers) < 0 < max(numbers)

    def _join_constants(self, op: type[BinaryOp], members: tuple[list[Node], list[Node]]) -> None:
        """Replaces constants by one: it is computed ahead of time."""
        apart = self._numbers_oppose(op, members)

        def joins(node: Node) -> bool:
            return self.constant[node] and not (apart and self.value_of_number(node) is not None)

        constants = [[n for n in side if joins(n)] for side in members]
        count = len(constants[0]) + len(constants[1])
        if count < 2 or count == len(members[0]) + len(members[1]):
            return
        for side in (0, 1):
            members[side][:] = [n for n in members[side] if not joins(n)]
        if constants[0]:
            members[0].append(self._constant_bag(op, constants[0], constants[1]))
        else:
            members[1].append(self._constant_bag(op, constants[1], []))

    def _constant_bag(self, op: type[BinaryOp], plain: list[Node], inverted: list[Node]) -> Node:
        if len(plain) == 1 and not inverted:
            return plain[0]
        shape = broadcast_shapes([self.shapes[n] for n in (*plain, *inverted)])
        form = Bag(op, tuple(sorted(plain)), tuple(sorted(inverted)))
        return self._intern(form, shape, True)


_SMALLEST, _LARGEST = 1e-30, 2.0**31
"""Between these, a joined number neither vanishes nor overflows in any element type."""

_SUM = (lambda a, b: a + b, lambda a, b: a - b)
_PRODUCT = (lambda a, b: a * b, lambda a, b: a / b)
_ARITHMETIC = {(False, True): _SUM, (True, True): _PRODUCT}
"""How numbers are joined, by whether a monoid distributes over another and is a group."""
